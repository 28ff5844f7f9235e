import type { Clock } from '../../core/clock.js';

/** A scheduler that was asked by everybody at once knew hardly anybody: it is asked again after this, and after twice as long each time… */
export const FIRST_SEARCH_MS = 500;
/** …so many times… */
export const MAX_SEARCHES = 5;
/** …while there are fewer parents than this. */
export const ENOUGH_PARENTS = 8;

/** When to look for further parents although those at hand give: with few of them the line of one decides how long it takes. */
export class ParentSearch {
  readonly #clock: Clock;
  readonly #search: () => void;
  #searches = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, search: () => void) {
    this.#clock = clock;
    this.#search = search;
  }

  start(): void {
    this.stop();
    if (this.#searches === MAX_SEARCHES) return;
    const search = (): void => {
      this.#searches++;
      this.#search();
      this.start();
    };
    this.#cancel = this.#clock.after(FIRST_SEARCH_MS * 2 ** this.#searches, search, { unref: true });
  }

  stop(): void {
    this.#cancel?.();
  }
}
