import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';

/** Without progress for this long, the log says who is waited for; then again each time the wait has doubled. */
export const FIRST_STALL_MS = 5_000;

/** Tells operators what a download that does not move is waiting for. */
export class StallWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #movedAtMs: number;
  #nextAfterMs = FIRST_STALL_MS;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#movedAtMs = clock.monotonicMs();
  }

  /** Milliseconds since something moved. */
  get stillMs(): number {
    return this.#clock.monotonicMs() - this.#movedAtMs;
  }

  moved(): void {
    this.#movedAtMs = this.#clock.monotonicMs();
    this.#nextAfterMs = FIRST_STALL_MS;
  }

  /** `describe` names those who are waited for. */
  check(describe: () => string): void {
    const { stillMs } = this;
    if (stillMs < this.#nextAfterMs) return;
    this.#nextAfterMs = stillMs * 2;
    this.#logger.warn(
      { stillMs: Math.round(stillMs) },
      `the download has not moved for ${Math.round(stillMs / 1000)} s, waiting for ${describe()}`,
    );
  }
}
