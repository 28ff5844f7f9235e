import { read } from 'node:fs';
import { type Clock, systemClock } from '../../core/clock.js';
import { DfpeerError } from '../../core/errors.js';
import { type BufferPool, MAX_COPY_BUFFER_BYTES, MIN_COPY_BUFFER_BYTES } from './buffer-pool.js';
import type { Segment, SegmentEnd } from './segment.js';
import { writeAll } from './socket.js';

const FIRST_CHUNK_BYTES = 64 * 1024;
/** A chunk that the socket took faster than this doubles the next one; slower than ten times this halves it. */
const FAST_CHUNK_MS = 20;

/** Userspace copy: works with any file and any socket, and spends leases to the byte. */
export class CopyRoute {
  readonly #pool: BufferPool;
  readonly #clock: Clock;

  constructor(pool: BufferPool, clock: Clock = systemClock) {
    this.#pool = pool;
    this.#clock = clock;
  }

  /** Moves bytes until the segment is complete or something ends it. Never rejects. */
  async run(segment: Segment): Promise<SegmentEnd> {
    let chunkBytes = FIRST_CHUNK_BYTES;
    while (segment.left > 0) {
      if (segment.interrupted) return { kind: 'interrupted' };
      const buffer = this.#pool.acquire(Math.min(chunkBytes, segment.left));
      try {
        const filled = await readAt(segment.file.fd, buffer, segment);
        const startedMs = this.#clock.monotonicMs();
        const end = await sendChunk(segment, buffer.subarray(0, filled));
        if (end !== undefined) return end;
        chunkBytes = nextChunkBytes(chunkBytes, segment.budget === undefined, this.#clock.monotonicMs() - startedMs);
      } catch (thrown) {
        return { kind: 'file-error', error: fileError(thrown) };
      } finally {
        this.#pool.release(buffer);
      }
    }
    return { kind: 'complete' };
  }
}

/** Writes the chunk in as many parts as the leases have. Undefined: all of it went out. */
async function sendChunk(segment: Segment, chunk: Buffer): Promise<SegmentEnd | undefined> {
  let sent = 0;
  while (sent < chunk.length) {
    if (segment.interrupted) return { kind: 'interrupted' };
    const lease = await takeLease(segment, chunk.length - sent);
    if (lease === undefined) return { kind: 'interrupted' };
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

/** Undefined: the upload ended while it waited. */
async function takeLease(segment: Segment, wanted: number): Promise<number | undefined> {
  if (segment.budget === undefined) return wanted;
  segment.waitingForBudget = true;
  try {
    return await segment.budget.take(wanted, segment.signal);
  } catch (error) {
    if (segment.signal.aborted) return undefined;
    throw error;
  } finally {
    segment.waitingForBudget = false;
  }
}

function readAt(fd: number, buffer: Buffer, segment: Segment): Promise<number> {
  const length = Math.min(buffer.length, segment.left);
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, length, segment.offset, (error, bytesRead) => {
      if (error !== null) reject(error);
      else if (bytesRead === 0) reject(new Error(`the file ends at byte ${segment.offset}`));
      else resolve(bytesRead);
    });
  });
}

/** Small chunks for slow clients bound their memory and show their progress; large ones cost less per byte. */
function nextChunkBytes(chunkBytes: number, unlimited: boolean, tookMs: number): number {
  if (tookMs > 10 * FAST_CHUNK_MS && unlimited) return Math.max(chunkBytes / 2, MIN_COPY_BUFFER_BYTES);
  if (tookMs < FAST_CHUNK_MS) return Math.min(chunkBytes * 2, MAX_COPY_BUFFER_BYTES);
  return chunkBytes;
}

function fileError(thrown: unknown): Error {
  if (thrown instanceof DfpeerError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new DfpeerError('DFP_STORE_IO', `reading a stored task failed: ${text}`, { cause: thrown });
}
