const MAX_TIMES = 32;

/** How long something took the last few times, in milliseconds. */
export class RecentTimes {
  readonly #timesMs: number[] = [];

  add(ms: number): void {
    this.#timesMs.push(ms);
    if (this.#timesMs.length > MAX_TIMES) this.#timesMs.shift();
  }

  /** 0 is the shortest of them, 0.5 the median; undefined when there are none. */
  quantile(share: number): number | undefined {
    return [...this.#timesMs].sort((a, b) => a - b)[Math.floor(this.#timesMs.length * share)];
  }
}
