import type { Clock } from '../../core/clock.js';
import { throwIfAborted } from '../../core/deadline.js';
import { DeadlineError, DfpeerError } from '../../core/errors.js';
import { WaitingLine } from '../../core/waiting-line.js';

export interface FetchPlacesOptions {
  places: number;
  /** How many may stand in line; one more is refused. */
  maxWaiting: number;
  clock: Clock;
}

/** A fixed number of places for fetches; who finds none free stands in line, first come, first served. */
export class FetchPlaces {
  readonly #options: FetchPlacesOptions;
  readonly #line: WaitingLine;
  #taken = 0;

  constructor(options: FetchPlacesOptions) {
    this.#options = options;
    this.#line = new WaitingLine(options.clock);
  }

  get waiting(): number {
    return this.#line.length;
  }

  /**
   * Resolves with what gives the place back, to be called once.
   * @throws DfpeerError DFP_LIMIT when the line is full, DFP_DEADLINE, or the signal's reason
   */
  async take({ signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number }): Promise<() => void> {
    const { places, maxWaiting } = this.#options;
    throwIfAborted(signal, 'a fetch');
    if (this.#taken < places) this.#taken++;
    else if (this.#line.length < maxWaiting) {
      const onTimeout = (): Error => new DeadlineError(`one of ${places} places for fetches`, timeoutMs);
      await this.#line.wait(undefined, { waitingFor: 'a fetch', signal, timeoutMs, onTimeout });
    } else
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
    else next.admit();
  }
}
