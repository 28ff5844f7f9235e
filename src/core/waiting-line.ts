import type { Clock } from './clock.js';
import { abortReason } from './deadline.js';

export interface Patience {
  /** For people, when the wait is aborted: "an upload slot". */
  waitingFor: string;
  signal: AbortSignal;
  timeoutMs: number;
  /** What the wait ends with when it has taken that long. */
  onTimeout: () => Error;
}

/** One of those who wait, and what is known of them. */
export interface Waiter<Who> {
  readonly who: Who;
  /** Out of the line, with what was waited for. */
  admit(): void;
  refuse(error: Error): void;
}

/** Those who wait for what others give back, in the order in which they came. Its length is for the owner to bound. */
export class WaitingLine<Who = undefined> {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter<Who>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** The one who came first at the front; who is admitted or refused on the way leaves the line. */
  [Symbol.iterator](): IterableIterator<Waiter<Who>> {
    return this.#waiters.values();
  }

  /** Resolves when admitted. @throws the error of a refusal, of the timeout, or the signal's reason */
  async wait(who: Who, { waitingFor, signal, timeoutMs, onTimeout }: Patience): Promise<void> {
    if (signal.aborted) throw abortReason(signal, waitingFor);
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter);
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter<Who> = {
        who,
        admit: () => (leave(), resolve()),
        refuse: (error) => (leave(), reject(error)),
      };
      const onAbort = (): void => waiter.refuse(abortReason(signal, waitingFor));
      const cancelTimer = this.#clock.after(timeoutMs, () => waiter.refuse(onTimeout()));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }
}
