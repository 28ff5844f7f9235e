import { BandwidthLimiter, type BandwidthLimiterOptions } from './bandwidth-limiter.js';

/** One limiter for each key in use (a task, a child's IP): made with the first user, closed with the last. */
export class KeyedLimiters {
  readonly #options: BandwidthLimiterOptions;
  readonly #entries = new Map<string, { limiter: BandwidthLimiter; users: number }>();
  #limit: number | undefined;

  constructor(limitBytesPerSecond: number | undefined, options: BandwidthLimiterOptions = {}) {
    this.#limit = limitBytesPerSecond;
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  setLimit(limitBytesPerSecond: number | undefined): void {
    this.#limit = limitBytesPerSecond;
    for (const { limiter } of this.#entries.values()) limiter.setLimit(limitBytesPerSecond);
  }

  /** The caller must release the key exactly once. */
  acquire(key: string): BandwidthLimiter {
    const entry = this.#entries.get(key) ?? { limiter: new BandwidthLimiter(this.#limit, this.#options), users: 0 };
    entry.users++;
    this.#entries.set(key, entry);
    return entry.limiter;
  }

  release(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || --entry.users > 0) return;
    entry.limiter.close();
    this.#entries.delete(key);
  }
}
