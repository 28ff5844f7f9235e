import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.js';

/** Since what was found of a host; then a download waits to find out again. */
export const HOST_MEMORY_MS = 60_000;
/** Hosts remembered; the oldest is forgotten first. */
export const MAX_REMEMBERED_HOSTS = 1024;

/** Hosts of which a download found one bad thing: the next one need not wait to find out. Whoever sees that it is over takes a host off the list. */
export class RememberedHosts {
  readonly #sinceMs = new LRUCache<string, number>({ max: MAX_REMEMBERED_HOSTS });
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(hostId: string): void {
    this.#sinceMs.set(hostId, this.#clock.monotonicMs());
  }

  remove(hostId: string): void {
    this.#sinceMs.delete(hostId);
  }

  has(hostId: string): boolean {
    const sinceMs = this.#sinceMs.peek(hostId);
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs < HOST_MEMORY_MS;
  }
}
