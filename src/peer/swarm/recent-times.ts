const MAX_TIMES = 32;

/** How long something took the last few times, in milliseconds. */
export class RecentTimes {
  readonly #inOrder: number[] = [];
  /** Kept sorted: each upload adds one and asks. */
  readonly #ascending: number[] = [];

  add(ms: number): void {
    if (this.#inOrder.length === MAX_TIMES) this.#forget(this.#inOrder.shift());
    this.#inOrder.push(ms);
    const longer = this.#ascending.findIndex((other) => other > ms);
    this.#ascending.splice(longer === -1 ? this.#ascending.length : longer, 0, ms);
  }

  /** 0 is the shortest of them, 0.5 the median; undefined when there are none. */
  quantile(share: number): number | undefined {
    return this.#ascending[Math.floor(this.#ascending.length * share)];
  }

  #forget(ms: number | undefined): void {
    if (ms !== undefined) this.#ascending.splice(this.#ascending.indexOf(ms), 1);
  }
}
