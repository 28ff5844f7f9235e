import type { Clock } from '../../core/clock.js';

/** Children and several schedulers are told at about the same time: samples closer than this are one, rates over less are noise. */
export const MIN_SAMPLE_GAP_MS = 500;

/** The last sample, taken anew when it is too old. */
export class RecentSample<T> {
  readonly #clock: Clock;
  readonly #take: () => Promise<T>;
  #latest: { atMs: number; sample: Promise<T> } | undefined;

  constructor(clock: Clock, take: () => Promise<T>) {
    this.#clock = clock;
    this.#take = take;
  }

  get(): Promise<T> {
    const atMs = this.#clock.monotonicMs();
    if (this.#latest === undefined || atMs - this.#latest.atMs >= MIN_SAMPLE_GAP_MS)
      this.#latest = { atMs, sample: this.#take() };
    return this.#latest.sample;
  }
}
