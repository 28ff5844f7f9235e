import type { Clock } from '../../core/clock.js';
import { abortReason, throwIfAborted } from '../../core/deadline.js';
import { DeadlineError, DfpeerError } from '../../core/errors.js';

export interface FetchPlacesOptions {
  places: number;
  /** How many may stand in line; one more is refused. */
  maxWaiting: number;
  clock: Clock;
}

interface Waiter {
  enter: () => void;
  refuse: (error: Error) => void;
}

/** A fixed number of places for fetches; who finds none free stands in line, first come, first served. */
export class FetchPlaces {
  readonly #options: FetchPlacesOptions;
  readonly #line = new Set<Waiter>();
  #taken = 0;

  constructor(options: FetchPlacesOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Resolves with what gives the place back, to be called once.
   * @throws DfpeerError DFP_LIMIT when the line is full, DFP_DEADLINE, or the signal's reason
   */
  async take({ signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number }): Promise<() => void> {
    const { places, maxWaiting } = this.#options;
    throwIfAborted(signal, 'a fetch');
    if (this.#taken < places) this.#taken++;
    else if (this.#line.size < maxWaiting) await this.#standInLine(signal, timeoutMs);
    else
      throw new DfpeerError(
        'DFP_LIMIT',
        `${places} fetches are in flight and ${maxWaiting} wait; try again when some have ended`,
      );
    return () => this.#giveBack();
  }

  /** Sends everybody in line away. */
  refuseAll(error: Error): void {
    for (const waiter of this.#line) waiter.refuse(error);
  }

  /** A place that is given back goes to the next in line, without being free in between. */
  #giveBack(): void {
    const [next] = this.#line;
    if (next === undefined) this.#taken--;
    else next.enter();
  }

  async #standInLine(signal: AbortSignal, timeoutMs: number): Promise<void> {
    const { clock, places } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#line.delete(waiter);
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        enter: () => {
          leave();
          resolve();
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.refuse(abortReason(signal, 'a fetch'));
      const cancelTimer = clock.after(timeoutMs, () =>
        waiter.refuse(new DeadlineError(`one of ${places} places for fetches`, timeoutMs)),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      this.#line.add(waiter);
    });
  }
}
