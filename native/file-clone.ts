import type { Libc } from './libc.js';
import { EINTR, FICLONE } from './linux-abi.js';
import { loadLibc } from './load-libc.js';
import { errnoName, SyscallError } from './syscall-error.js';
import type { TransferFile } from './transfer.js';

/** Bytes of one copy_file_range call: bounds how long a stop takes and how long a thread of libuv's pool is held. */
export const COPY_CHUNK_BYTES = 16 * 1024 * 1024;

/** The file systems don't share blocks, or not between these two files. */
const UNSUPPORTED = new Set(['EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS', 'ETXTBSY', 'EPERM']);

/**
 * Makes `target` share all of `source`'s blocks (FICLONE: xfs, btrfs, …). Takes no space and no time to speak of; runs
 * in libuv's thread pool.
 * @param target open for writing; what it held is replaced
 * @throws SyscallError for what is not about support (ENOSPC, EIO, EBADF)
 */
export async function cloneFile(source: TransferFile, target: TransferFile): Promise<'cloned' | 'unsupported'> {
  const load = loadLibc();
  if (!load.available) return 'unsupported';
  const result = await load.libc.ioctlAsync(target.fd, FICLONE, source.fd);
  if (result >= 0) return 'cloned';
  if (UNSUPPORTED.has(errnoName(-result))) return 'unsupported';
  throw new SyscallError('ioctl(FICLONE)', -result, 'cloning a file');
}

/** Lengths and offsets in bytes. */
export interface CopyFileRangeOptions {
  /** First byte in the source. */
  offset: number;
  length: number;
  /** Where it goes in the target. Default: `offset`. */
  targetOffset?: number;
  /** Stops between two calls of at most COPY_CHUNK_BYTES. */
  signal?: AbortSignal;
  onProgress?: (bytesCopied: number) => void;
}

export interface CopyFileRangeResult {
  bytesCopied: number;
  /** `unsupported` may come after some bytes: copy the rest in another way. */
  outcome: 'complete' | 'stopped' | 'truncated' | 'unsupported';
}

/**
 * Copies within the kernel (copy_file_range(2)): shares blocks where the file system can, else without user space.
 * Each call runs in libuv's thread pool; the descriptors' own positions are neither used nor moved.
 * @throws SyscallError for what is not about support (ENOSPC, EIO, EBADF)
 * @throws RangeError for offsets and lengths out of range
 */
export async function copyFileRange(
  source: TransferFile,
  target: TransferFile,
  options: CopyFileRangeOptions,
): Promise<CopyFileRangeResult> {
  const { offset, length, targetOffset = offset } = options;
  for (const value of [offset, length, targetOffset, offset + length, targetOffset + length]) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a safe byte count`);
  }
  const load = loadLibc();
  if (!load.available) return { bytesCopied: 0, outcome: 'unsupported' };
  return copyChunks(load.libc, source.fd, target.fd, { ...options, targetOffset });
}

async function copyChunks(
  libc: Libc,
  source: number,
  target: number,
  { offset, length, targetOffset, signal, onProgress }: CopyFileRangeOptions & { targetOffset: number },
): Promise<CopyFileRangeResult> {
  let bytesCopied = 0;
  while (bytesCopied < length) {
    if (signal?.aborted === true) return { bytesCopied, outcome: 'stopped' };
    const count = Math.min(COPY_CHUNK_BYTES, length - bytesCopied);
    const result = await libc.copyFileRangeAsync(
      source,
      offset + bytesCopied,
      target,
      targetOffset + bytesCopied,
      count,
    );
    if (result === 0) return { bytesCopied, outcome: 'truncated' };
    if (result === -EINTR) continue;
    if (result < 0) {
      if (UNSUPPORTED.has(errnoName(-result))) return { bytesCopied, outcome: 'unsupported' };
      throw new SyscallError('copy_file_range', -result, `copying ${count} bytes at ${offset + bytesCopied}`);
    }
    bytesCopied += result;
    onProgress?.(bytesCopied);
  }
  return { bytesCopied, outcome: 'complete' };
}
