import { type Clock, every } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';

/** Without progress for this long, the log says who is waited for; then again each time the wait has doubled. */
export const FIRST_STALL_MS = 5_000;
/** More waits than this are not named in a log line. */
const MAX_NAMED_WAITS = 8;

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

  /** Looks every `intervalMs` until the returned function is called. `describe` names those who are waited for. */
  start(intervalMs: number, { describe, onTick }: { describe: () => string[]; onTick: () => void }): () => void {
    return every(this.#clock, intervalMs, () => {
      this.#check(describe);
      onTick();
    });
  }

  #check(describe: () => string[]): void {
    const { stillMs } = this;
    if (stillMs < this.#nextAfterMs) return;
    this.#nextAfterMs = stillMs * 2;
    const names = describe().slice(0, MAX_NAMED_WAITS).join('; ');
    this.#logger.warn(
      { stillMs: Math.round(stillMs) },
      `the download has not moved for ${Math.round(stillMs / 1000)} s, waiting for ${names}`,
    );
  }
}
