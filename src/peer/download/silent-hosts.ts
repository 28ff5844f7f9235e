import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.js';

/** Since it gave no sign of life; then a download waits for one again. */
export const SILENCE_MEMORY_MS = 60_000;
/** Hosts remembered; the oldest is forgotten first. */
export const MAX_SILENT_HOSTS = 1024;

/** Hosts that gave a download no sign of life: the next one need not wait to find out. Any sign takes a host off the list. */
export class SilentHosts {
  readonly #sinceMs = new LRUCache<string, number>({ max: MAX_SILENT_HOSTS });
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
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs < SILENCE_MEMORY_MS;
  }
}
