import type { Clock } from '../../../core/clock.js';

/** Most that the kernel keeps back for one read. */
export const MAX_READ_BATCH_BYTES = 256 * 1024;
/** Below, a read costs less than asking for a larger one. */
const MIN_READ_BATCH_BYTES = 16 * 1024;
/** A read is to bring as much as came in this time. */
const READ_BATCH_MS = 100;
/** When the other side got slower, nothing stays back for longer. */
export const MAX_READ_BATCH_WAIT_MS = 200;

/**
 * Has the kernel wake us once for what would be many reads of a few segments: those cost as much as the bytes. What must have come
 * follows the connection's speed, and is never more than is certain to come.
 */
export class ReadBatching {
  readonly #setLowWater: (bytes: number) => void;
  readonly #clock: Clock;
  #lowWater = 1;
  #lastReadAtMs: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(setLowWater: (bytes: number) => void, clock: Clock) {
    this.#setLowWater = setLowWater;
    this.#clock = clock;
  }

  /** A read brought `bytes`; at least `missing` more of the same answer are still to come. */
  read(bytes: number, missing: number): void {
    const nowMs = this.#clock.monotonicMs();
    const tookMs = this.#lastReadAtMs === undefined ? Infinity : nowMs - this.#lastReadAtMs;
    this.#lastReadAtMs = missing === 0 ? undefined : nowMs;
    const batch = Math.min((bytes / tookMs) * READ_BATCH_MS, MAX_READ_BATCH_BYTES);
    this.#wait(batch < MIN_READ_BATCH_BYTES ? 1 : Math.min(powerOfTwo(batch), Math.max(1, missing)));
  }

  /** Idempotent. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #wait(bytes: number): void {
    if (bytes > 1) this.#cancelTimer ??= this.#lookAfter(MAX_READ_BATCH_WAIT_MS);
    if (bytes === this.#lowWater) return;
    this.#lowWater = bytes;
    this.#setLowWater(bytes);
  }

  /** One timer at a time looks at the clock, so that a read costs no timer. */
  #lookAfter(delayMs: number): () => void {
    return this.#clock.after(
      delayMs,
      () => {
        this.#cancelTimer = undefined;
        if (this.#lowWater === 1 || this.#lastReadAtMs === undefined) return;
        const leftMs = this.#lastReadAtMs + MAX_READ_BATCH_WAIT_MS - this.#clock.monotonicMs();
        if (leftMs > 0) this.#cancelTimer = this.#lookAfter(leftMs);
        else this.#wait(1);
      },
      { unref: true },
    );
  }
}

/** Not above `value`: a speed that wavers must not cost a system call each read. */
function powerOfTwo(value: number): number {
  return 2 ** Math.floor(Math.log2(value));
}
