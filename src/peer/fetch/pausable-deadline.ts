import type { Clock } from '../../core/clock.js';

/** It is looked at so often: of a time in which this process itself was held up no more than that between two looks is counted. */
const LOOKS = 8;

/**
 * A deadline that stands still while it is paused, or while this process is stopped (a paused container): what we wait for on our own side is not
 * held against the sender.
 */
export class PausableDeadline {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onExpired: () => void;
  #leftMs: number;
  /** The time until the next look, and since when it runs. */
  #stretch = { sinceMs: 0, ms: 0 };
  #pauses = 0;
  #isOver = false;
  #cancelTimer: () => void = () => undefined;

  /** Starts at once. `onExpired` is called once at most. */
  constructor(clock: Clock, timeoutMs: number, onExpired: () => void) {
    this.#clock = clock;
    this.#timeoutMs = this.#leftMs = timeoutMs;
    this.#onExpired = onExpired;
    this.#run();
  }

  /** Each pause needs its own resume. */
  pause(): void {
    if (this.#pauses++ > 0) return;
    this.#cancelTimer();
    const { sinceMs, ms } = this.#stretch;
    this.#leftMs -= Math.min(this.#clock.monotonicMs() - sinceMs, ms);
  }

  resume(): void {
    if (--this.#pauses === 0) this.#run();
  }

  /** The full time again, for the next stretch of work. */
  restart(): void {
    this.#leftMs = this.#timeoutMs;
    if (this.#pauses > 0) return;
    this.#cancelTimer();
    this.#run();
  }

  cancel(): void {
    this.#isOver = true;
    this.#cancelTimer();
  }

  #run(): void {
    if (this.#isOver) return;
    const ms = Math.max(0, Math.min(this.#leftMs, this.#timeoutMs / LOOKS));
    this.#stretch = { sinceMs: this.#clock.monotonicMs(), ms };
    this.#cancelTimer = this.#clock.after(ms, () => this.#look(), { unref: true });
  }

  #look(): void {
    this.#leftMs -= this.#stretch.ms;
    if (this.#leftMs > 0) return this.#run();
    this.#isOver = true;
    this.#onExpired();
  }
}
