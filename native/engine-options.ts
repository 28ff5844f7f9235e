import type { Worker } from 'node:worker_threads';
import type { WorkerInput } from './engine-worker.js';

export const DEFAULT_QUANTUM_BYTES = 1024 * 1024;
export const DEFAULT_INLINE_BYTES = 128 * 1024;
export const DEFAULT_PREFETCH_BYTES = 1024 * 1024;
export const DEFAULT_MAX_ENGINE_QUEUE = 16_384;
export const DEFAULT_PROGRESS_INTERVAL_MS = 100;

/** All optional; lengths in bytes. */
export interface EngineOptions {
  /** Worker threads, started when first needed. Default: one per two processors. */
  workers?: number;
  /** What a transfer may send before it is another one's turn. Default 1 MiB. */
  quantumBytes?: number;
  /** Up to this length, data found in the page cache is sent by the main thread at once. Default 128 KiB, 0 never. */
  inlineBytes?: number;
  /** How far ahead a file that is not in memory is read from the disk. Default 1 MiB, 0 leaves it to the kernel. */
  prefetchBytes?: number;
  /** Transfers that may wait when all slots (2048 a worker) are taken; beyond, they are refused. Default 16,384. */
  maxQueuedTransfers?: number;
  /** Time between two onProgress calls. Default 100. */
  progressIntervalMs?: number;
  /** Transfers a worker holds at once, a power of two. Default 2048. */
  slotsPerWorker?: number;
  /** Starts a worker thread. Default: this module's. */
  spawnWorker?: (input: WorkerInput) => Worker;
  /** Monotonic milliseconds. Default: `performance.now`. */
  nowMs?: () => number;
}

/** What each slot takes of the memory that a worker shares is some 4 KiB: this many are 256 MiB. */
const MAX_SLOTS_PER_WORKER = 65_536;

/** @throws RangeError for an option that no engine could work with */
export function checkEngineOptions(options: EngineOptions): void {
  const { workers, quantumBytes, inlineBytes, prefetchBytes } = options;
  const { maxQueuedTransfers, progressIntervalMs, slotsPerWorker } = options;
  checkAtLeast(0, { inlineBytes, prefetchBytes });
  // Every transfer is in the queue for a moment, also where a slot is free: it must have a place.
  checkAtLeast(1, { workers, quantumBytes, maxQueuedTransfers, progressIntervalMs, slotsPerWorker });
  // The rings between the threads wrap around by masking.
  if (slotsPerWorker !== undefined && (slotsPerWorker > MAX_SLOTS_PER_WORKER || !isPowerOfTwo(slotsPerWorker)))
    throw new RangeError(
      `slotsPerWorker is ${slotsPerWorker}; choose a power of two up to ${MAX_SLOTS_PER_WORKER}, or leave it out`,
    );
}

function checkAtLeast(least: number, options: Record<string, number | undefined>): void {
  for (const [name, value] of Object.entries(options))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least))
      throw new RangeError(`${name} is ${value}; choose a whole number of at least ${least}, or leave it out`);
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
