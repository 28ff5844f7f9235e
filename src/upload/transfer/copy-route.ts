import { read } from 'node:fs';
import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import { DfpeerError } from '../../core/errors.js';
import { type BufferPool, MAX_COPY_BUFFER_BYTES, MIN_COPY_BUFFER_BYTES } from './buffer-pool.js';
import { takeLease } from './lease.js';
import type { Segment, SegmentEnd } from './segment.js';
import { writeAll } from './socket.js';

const FIRST_CHUNK_BYTES = 64 * 1024;
/** A chunk that the socket took faster than this doubles the next one; slower than ten times this halves it. */
const FAST_CHUNK_MS = 20;

/** A buffer of the pool with bytes of the file in it, or why they could not be read. */
interface FilledBuffer {
  buffer: Buffer;
  bytes: Buffer;
  error: Error | undefined;
}

/** Userspace copy: works with any file and any socket, and spends leases to the byte. */
export class CopyRoute {
  readonly #pool: BufferPool;
  readonly #clock: Clock;
  /** What was found right for a connection's last range is right for its next one. */
  readonly #chunkBytes = new WeakMap<Socket, number>();

  constructor(pool: BufferPool, clock: Clock = systemClock) {
    this.#pool = pool;
    this.#clock = clock;
  }

  /** Moves bytes until the segment is complete or something ends it. Never rejects. */
  async run(segment: Segment): Promise<SegmentEnd> {
    let chunkBytes = this.#chunkBytes.get(segment.socket) ?? FIRST_CHUNK_BYTES;
    let ahead: Promise<FilledBuffer> | undefined;
    let end: SegmentEnd | undefined;
    while (end === undefined && segment.left > 0) {
      const filled = await (ahead ?? this.#fill(segment, 0, chunkBytes));
      ahead = undefined;
      // A fast client gets the next chunk read while this one goes out; a slow one doesn't hold two buffers.
      const rest = segment.left - filled.bytes.length;
      if (chunkBytes === MAX_COPY_BUFFER_BYTES && rest > 0 && filled.error === undefined)
        ahead = this.#fill(segment, filled.bytes.length, chunkBytes);
      const startedMs = this.#clock.monotonicMs();
      end = filled.error === undefined ? await sendChunk(segment, filled.bytes) : fileError(filled.error);
      this.#pool.release(filled.buffer);
      chunkBytes = nextChunkBytes(chunkBytes, segment.budget === undefined, this.#clock.monotonicMs() - startedMs);
    }
    this.#chunkBytes.set(segment.socket, chunkBytes);
    if (ahead !== undefined) this.#pool.release((await ahead).buffer);
    return end ?? { kind: 'complete' };
  }

  /** Reads what comes `skip` bytes after the next byte to send. Never rejects. */
  #fill(segment: Segment, skip: number, chunkBytes: number): Promise<FilledBuffer> {
    const left = segment.left - skip;
    const offset = segment.offset + skip;
    const buffer = this.#pool.acquire(Math.min(chunkBytes, left));
    return new Promise((resolve) => {
      read(segment.file.fd, buffer, 0, Math.min(buffer.length, left), offset, (failure, bytesRead) => {
        const atEnd = bytesRead === 0 ? new Error(`the file ends at byte ${offset}`) : undefined;
        resolve({ buffer, bytes: buffer.subarray(0, bytesRead), error: failure ?? atEnd });
      });
    });
  }
}

/** Writes the chunk in as many parts as the leases have. Undefined: all of it went out. */
async function sendChunk(segment: Segment, chunk: Buffer): Promise<SegmentEnd | undefined> {
  let sent = 0;
  while (sent < chunk.length) {
    if (segment.interrupted) return { kind: 'interrupted' };
    const lease = await takeLease(segment, chunk.length - sent);
    if (typeof lease !== 'number') return lease;
    const head = segment.head;
    const taken = segment.interrupted
      ? false
      : await writeAll(segment.socket, chunk.subarray(sent, sent + lease), head);
    if (!taken) {
      segment.budget?.giveBack(lease);
      return { kind: segment.interrupted ? 'interrupted' : 'closed' };
    }
    if (head.length > 0) segment.movedHead(head.length);
    segment.moved(lease);
    sent += lease;
  }
  return undefined;
}

/** Small chunks for slow clients bound their memory and show their progress; large ones cost less per byte. */
function nextChunkBytes(chunkBytes: number, unlimited: boolean, tookMs: number): number {
  if (tookMs > 10 * FAST_CHUNK_MS && unlimited) return Math.max(chunkBytes / 2, MIN_COPY_BUFFER_BYTES);
  if (tookMs < FAST_CHUNK_MS) return Math.min(chunkBytes * 2, MAX_COPY_BUFFER_BYTES);
  return chunkBytes;
}

function fileError(cause: Error): SegmentEnd {
  const error = new DfpeerError('DFP_STORE_IO', `reading a stored task failed: ${cause.message}`, { cause });
  return { kind: 'file-error', error };
}
