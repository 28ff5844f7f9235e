import type { Clock } from '../../core/clock.js';
import { withDeadline } from '../../core/deadline.js';
import { DeadlineError, DfpeerError } from '../../core/errors.js';

/** A disk that has not done one small thing by then is taken for dead. */
export const DISK_TIMEOUT_MS = 120_000;

/** What a download waits for at the moment, by name, so that a stall can tell. */
export class NamedWaits {
  readonly #clock: Clock;
  readonly #names = new Map<object, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For work that bounds itself. */
  async during<T>(waitingFor: string, work: () => Promise<T>): Promise<T> {
    const key = {};
    this.#names.set(key, waitingFor);
    try {
      return await work();
    } finally {
      this.#names.delete(key);
    }
  }

  /** For work that may take long or for ever. @throws DeadlineError, or the signal's reason */
  async atMost<T>(
    bound: { waitingFor: string; timeoutMs: number; signal?: AbortSignal },
    work: () => Promise<T>,
  ): Promise<T> {
    return this.during(bound.waitingFor, () => withDeadline({ ...bound, clock: this.#clock }, work));
  }

  /** A disk can't be told to stop: after the deadline only the wait is over. @throws DfpeerError DFP_STORE_IO, and what `work` throws */
  async disk<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.atMost({ waitingFor: `the disk to ${doing}`, timeoutMs: DISK_TIMEOUT_MS }, work);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      const text = `the disk did not ${doing} within ${DISK_TIMEOUT_MS / 1000} s; look at its health and load`;
      throw new DfpeerError('DFP_STORE_IO', text, { cause: error });
    }
  }

  /** Each name once. */
  names(): string[] {
    return [...new Set(this.#names.values())];
  }
}
