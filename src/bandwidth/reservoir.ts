import Bottleneck from 'bottleneck';
import type { Clock } from '../core/clock.js';

/** A grant that has not come after so many refills does not come any more. */
const LATE_REFILLS = 3;

/**
 * Full at the start, and full again each `refillMs` at most: for one taker at a time, who takes all of it. It is Bottleneck's, which goes by
 * the time of day: set back by an hour, that would grant nothing for an hour. So one that is late is replaced.
 */
export class Reservoir {
  readonly #bytes: number;
  readonly #refillMs: number;
  readonly #clock: Clock;
  #limiter: Bottleneck;
  #cancelWatch: () => void = () => undefined;

  constructor(bytes: number, refillMs: number, clock: Clock) {
    this.#bytes = bytes;
    this.#refillMs = refillMs;
    this.#clock = clock;
    this.#limiter = this.#createLimiter();
  }

  /** Resolves once it was full. */
  async take(): Promise<void> {
    while (!(await this.#isGrantedInTime())) {
      drop(this.#limiter);
      this.#limiter = this.#createLimiter();
    }
  }

  /** Ends the timers. Whoever waits waits for ever. */
  close(): void {
    this.#cancelWatch();
    void this.#limiter.disconnect();
  }

  #isGrantedInTime(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#cancelWatch = this.#clock.after(LATE_REFILLS * this.#refillMs, () => resolve(false));
      this.#limiter
        .schedule({ weight: this.#bytes }, () => Promise.resolve())
        .then(() => {
          this.#cancelWatch();
          resolve(true);
        }, reject);
    });
  }

  #createLimiter(): Bottleneck {
    return new Bottleneck({
      reservoir: this.#bytes,
      reservoirIncreaseAmount: this.#bytes,
      reservoirIncreaseMaximum: this.#bytes,
      // Shorter than the heartbeat: equal ones skip a beat whenever the two clocks round differently.
      reservoirIncreaseInterval: Math.ceil(this.#refillMs / 2),
      heartbeatInterval: this.#refillMs,
    });
  }
}

/** With the job that waits, whose timer would keep the process alive. */
function drop(limiter: Bottleneck): void {
  void limiter.disconnect();
  limiter.stop({ dropWaitingJobs: true }).catch(() => undefined);
}
