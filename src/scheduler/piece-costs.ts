/** An outlier says little among fewer. */
const MIN_SAMPLES = 5;
const SLOW_FACTOR = 20;

/** How long a peer's pieces took, to tell one that has become slow (docs/WIRE.md 1.6). */
export class PieceCosts {
  #count = 0;
  #earlierSumMs = 0;
  #lastMs = 0;

  get count(): number {
    return this.#count;
  }

  add(costMs: number): void {
    this.#earlierSumMs += this.#lastMs;
    this.#lastMs = costMs;
    this.#count++;
  }

  /** The last piece took more than twenty times the mean of those before. */
  get isSlow(): boolean {
    if (this.#count < MIN_SAMPLES) return false;
    return this.#lastMs > (SLOW_FACTOR * this.#earlierSumMs) / (this.#count - 1);
  }
}
