import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.js';

/** One bad piece may be a bad disk; a host that gives so many is not asked by any download for a while. */
export const MAX_STRIKES = 3;
/** Since the last bad piece; then the host gets another chance. */
export const DISTRUST_MS = 5 * 60_000;
/** Hosts remembered; the longest unheard of is forgotten first. */
export const MAX_DISTRUSTED_HOSTS = 1024;

/** Hosts that gave this node pieces other than they announced, whatever the task. */
export class DistrustedHosts {
  readonly #strikes = new LRUCache<string, { count: number; lastMs: number }>({ max: MAX_DISTRUSTED_HOSTS });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  strike(hostId: string): void {
    this.#strikes.set(hostId, { count: this.#countOf(hostId) + 1, lastMs: this.#clock.monotonicMs() });
  }

  has(hostId: string): boolean {
    return this.#countOf(hostId) >= MAX_STRIKES;
  }

  #countOf(hostId: string): number {
    const known = this.#strikes.peek(hostId);
    return known === undefined || this.#clock.monotonicMs() - known.lastMs >= DISTRUST_MS ? 0 : known.count;
  }
}
