export { EngineError, NativeError } from './errors.js';
export type { NativeErrorCode } from './errors.js';
export { SyscallError } from './syscall-error.js';
export { nativeSupport } from './load-libc.js';
export type { LoadEnvironment, NativeSupport } from './load-libc.js';
export { MAX_WORKER_DEATHS_IN_A_ROW, SendFileEngine, WORKER_REST_MS } from './engine.js';
export type { EngineStats } from './engine.js';
export {
  DEFAULT_INLINE_BYTES,
  DEFAULT_MAX_ENGINE_QUEUE,
  DEFAULT_PREFETCH_BYTES,
  DEFAULT_PROGRESS_INTERVAL_MS,
  DEFAULT_QUANTUM_BYTES,
} from './engine-options.js';
export type { EngineOptions } from './engine-options.js';
export { MAX_HEAD_BYTES, SLOTS_PER_WORKER } from './slot-table.js';
export { sendFile } from './send-file.js';
export type {
  SendFileOptions,
  SendFileOutcome,
  SendFileResult,
  Transfer,
  TransferEngine,
  TransferFile,
} from './transfer.js';
export { COPY_CHUNK_BYTES, cloneFile, copyFileRange } from './file-clone.js';
export type { CopyFileRangeOptions, CopyFileRangeResult } from './file-clone.js';
export { nameFile, openUnnamedFile } from './unnamed-file.js';
export { peerCredentials } from './peer-credentials.js';
export type { PeerCredentials } from './peer-credentials.js';
export { MAX_UNIX_PATH_BYTES, sendUnixDatagram } from './unix-datagram.js';
export { maxPacingRate, setMaxPacingRate } from './pacing.js';
export { setReceiveLowWater } from './receive-low-water.js';
export { setUnsentLimit } from './unsent-limit.js';
export { dropCachedRange, isRangeCached } from './cached-range.js';
export { limitMallocArenas, trimMemory } from './malloc.js';
