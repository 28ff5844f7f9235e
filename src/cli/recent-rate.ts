/** The rate shown is the mean over about this time. */
const RATE_WINDOW_MS = 3_000;

/** How fast a count has grown lately; one that shrinks, as pieces are thrown away, has not. */
export class RecentRate {
  readonly #samples: { ms: number; bytes: number }[] = [];

  /** @param bytes so far */
  add(bytes: number): void {
    const ms = performance.now();
    this.#samples.push({ ms, bytes });
    while (this.#samples.length > 2 && ms - (this.#samples[0]?.ms ?? ms) > RATE_WINDOW_MS) this.#samples.shift();
  }

  get perSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.ms === first.ms) return 0;
    return (Math.max(0, last.bytes - first.bytes) / (performance.now() - first.ms)) * 1000;
  }
}
