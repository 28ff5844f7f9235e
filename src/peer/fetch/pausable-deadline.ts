import type { Clock } from '../../core/clock.js';

/** A deadline that stands still while it is paused: what we wait for on our own side is not held against the sender. */
export class PausableDeadline {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #onExpired: () => void;
  #leftMs: number;
  #runningSinceMs = 0;
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
    this.#leftMs -= this.#clock.monotonicMs() - this.#runningSinceMs;
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
    this.#runningSinceMs = this.#clock.monotonicMs();
    const expire = (): void => {
      this.#isOver = true;
      this.#onExpired();
    };
    this.#cancelTimer = this.#clock.after(Math.max(0, this.#leftMs), expire, { unref: true });
  }
}
