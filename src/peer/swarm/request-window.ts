import { LRUCache } from 'lru-cache';

/** With fewer transfers waiting for each other than this, one more at once is tried… */
export const FEW_QUEUED = 1;
/** …and one fewer with more than this. */
export const MANY_QUEUED = 2;
/** Peers whose quickest transfer is remembered. */
const MAX_PEERS = 256;
/** By so much the quickest transfer is taken for slower with each one after it: a line may have become slower for good. */
const FORGETTING = 1.001;

/** A transfer that is complete. */
export interface FinishedTransfer {
  peer: string;
  /** > 0. */
  bytes: number;
  durationMs: number;
  /** Transfers that ran together with it, itself included. */
  atOnce: number;
}

/**
 * How many transfers to run at once. One more while that makes none of them slower; one fewer when they only share the same line: then
 * fewer finish sooner, and what has arrived can be passed on. As TCP Vegas does with packets (Brakmo and Peterson 1995): of those at once
 * the share by which they take longer than the quickest one only waits. Pure, no clock.
 */
export class RequestWindow {
  readonly #min: number;
  readonly #max: number;
  readonly #quickestMsPerByte = new LRUCache<string, number>({ max: MAX_PEERS });
  #size: number;

  constructor({ min, max }: { min: number; max: number }) {
    this.#min = Math.min(min, max);
    this.#max = max;
    this.#size = this.#min;
  }

  get size(): number {
    return this.#size;
  }

  finished({ peer, bytes, durationMs, atOnce }: FinishedTransfer): void {
    const msPerByte = Math.max(durationMs, 1) / bytes;
    const quickest = Math.min(msPerByte, (this.#quickestMsPerByte.get(peer) ?? msPerByte) * FORGETTING);
    this.#quickestMsPerByte.set(peer, quickest);
    const queued = atOnce * (1 - quickest / msPerByte);
    if (queued > MANY_QUEUED) this.#size = Math.max(this.#size - 1, this.#min);
    // What was not made use of tells nothing of more.
    else if (queued < FEW_QUEUED && atOnce >= this.#size) this.#size = Math.min(this.#size + 1, this.#max);
  }
}
