import type { Socket } from 'node:net';
import type { NativeError } from './errors.js';

/** What became of a transfer; `bytesSent` is exact in every case. */
export type SendFileOutcome =
  | 'complete'
  | 'stopped' // the signal aborted, or stop() was called: the caller may go on by another route at offset + bytesSent
  | 'closed' // the peer closed or reset the connection (EPIPE, ECONNRESET), or the socket was destroyed under us
  | 'truncated' // the file ended before offset + length
  | 'unsupported' // sendfile can't serve this (EINVAL, ENOSYS, TLS, no worker, …): nothing is wrong with the socket, go on by copying
  | 'failed'; // any other errno, or the worker died: the connection can't be used any more

export interface SendFileResult {
  /** Bytes of the file that were written to the socket; the head is not counted. */
  bytesSent: number;
  /** Bytes of the head that were written. */
  headBytesSent: number;
  outcome: SendFileOutcome;
  /** Why, for `closed`, `unsupported` and `failed`: a SyscallError when a syscall said so, else an EngineError. */
  error?: NativeError;
}

export interface SendFileOptions {
  /** First byte of the file. */
  offset: number;
  length: number;
  /** Sent before the file's bytes, in the same segment where possible. At most MAX_HEAD_BYTES (4 KiB). */
  head?: Uint8Array;
  /**
   * Up to this length the main thread sends at once what the page cache has and the socket takes; a worker has the rest. Default:
   * the engine's `inlineBytes`. A mebibyte takes it some 200 µs.
   */
  inlineBytes?: number;
  /** Stops the transfer at the next quantum. */
  signal?: AbortSignal;
  /** Called now and then with bytesSent so far; never after the promise settled. */
  onProgress?: (bytesSent: number) => void;
}

/** A transfer under way. */
export interface Transfer {
  /** Bytes of the file sent so far: cheap, exact to the last finished syscall. */
  readonly bytesSent: number;
  /** Settles once nothing touches socket or file on behalf of this transfer any more. Never rejects. */
  readonly done: Promise<SendFileResult>;
  /** Asks to stop at the next quantum; `done` tells where. */
  stop(): void;
}

/** An open regular file. The transfer never closes it; the owner must keep it open until `done`. */
export interface TransferFile {
  readonly fd: number;
}

export interface TransferEngine {
  /**
   * Starts at once. The socket must be the caller's alone until `done`; what it sends meanwhile would mix in.
   * @throws RangeError for an offset, length, descriptor or head out of range
   * @throws EngineError ERR_SOCKET_BUSY when bytes are pending in the socket's own write buffer
   */
  start(socket: Socket, file: TransferFile, options: SendFileOptions): Transfer;
  /** The same, as one promise. */
  sendFile(socket: Socket, file: TransferFile, options: SendFileOptions): Promise<SendFileResult>;
  readonly activeTransfers: number;
  /** Stops what is running, waits for the workers to end. Idempotent. */
  close(): Promise<void>;
}
