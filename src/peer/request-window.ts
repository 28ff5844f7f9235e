import { LRUCache } from 'lru-cache';

/** A transfer that took less than so many times as long as the quickest one with the same peer had the line nearly to itself. */
export const UNCROWDED_FACTOR = 1.5;
/** One that took more than so many times as long mostly waited for others. */
export const CROWDED_FACTOR = 2.5;
/** Peers whose quickest transfer is remembered. */
const MAX_PEERS = 256;
/** By so much the quickest transfer is taken for slower with each one after it: a line may have become slower for good. */
const FORGETTING = 1.001;

/**
 * How many transfers to run at once. One more while that makes none of them slower; one fewer when they only share the same line: then
 * fewer finish sooner, and what has arrived can be passed on (after TCP Vegas, Brakmo and Peterson 1995). Pure, no clock.
 */
export class RequestWindow {
  readonly #min: number;
  readonly #max: number;
  readonly #quickestMsPerByte = new LRUCache<string, number>({ max: MAX_PEERS });
  #size: number;

  /** Starts at `initial`, or at `min`. */
  constructor({ min, max, initial = min }: { min: number; max: number; initial?: number }) {
    this.#min = Math.min(min, max);
    this.#max = max;
    this.#size = Math.min(Math.max(initial, this.#min), max);
  }

  get size(): number {
    return this.#size;
  }

  /** A transfer with `peer` is complete; `bytes` > 0. */
  finished(peer: string, bytes: number, durationMs: number): void {
    const msPerByte = Math.max(durationMs, 1) / bytes;
    const quickest = Math.min(msPerByte, (this.#quickestMsPerByte.get(peer) ?? msPerByte) * FORGETTING);
    this.#quickestMsPerByte.set(peer, quickest);
    const crowding = msPerByte / quickest;
    if (crowding < UNCROWDED_FACTOR) this.#size = Math.min(this.#size + 1, this.#max);
    else if (crowding > CROWDED_FACTOR) this.#size = Math.max(this.#size - 1, this.#min);
  }
}
