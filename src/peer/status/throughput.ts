import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { Route } from '../../upload/index.js';

/** Two minutes of history for the status page. */
export const MAX_THROUGHPUT_SAMPLES = 120;
export const SAMPLE_INTERVAL_MS = 1000;
/** A rate is the mean of this many intervals: running sendfiles are counted once a second, at their own beat. */
const SMOOTHED_INTERVALS = 2;

/** Uploads by route, downloads by source. */
export type ThroughputSeries = Route | 'parent' | 'origin';
export type ThroughputRates = Readonly<Record<ThroughputSeries, number>>;

interface Reading {
  atMs: number;
  bytes: ThroughputRates;
}

/** Bytes per second of each series, sampled once a second. */
export class Throughput {
  readonly #read: () => Promise<ThroughputRates>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #readings: Reading[] = [];
  readonly #history: ThroughputRates[] = [];
  #cancel: () => void = () => undefined;
  #isStopped = false;

  /** `read` tells the bytes of each series since the start. */
  constructor(options: { read: () => Promise<ThroughputRates>; clock: Clock; logger: Logger }) {
    this.#read = options.read;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  start(): void {
    this.#cancel = this.#clock.after(
      SAMPLE_INTERVAL_MS,
      () => {
        this.sample()
          .catch((error: unknown) => this.#logger.error({ err: error }, 'the throughput could not be sampled'))
          .finally(() => {
            if (!this.#isStopped) this.start();
          });
      },
      { unref: true },
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async sample(): Promise<void> {
    const now = { atMs: this.#clock.monotonicMs(), bytes: await this.#read() };
    const before = this.#readings.at(-SMOOTHED_INTERVALS) ?? this.#readings[0];
    this.#readings.push(now);
    if (this.#readings.length > SMOOTHED_INTERVALS) this.#readings.shift();
    if (before === undefined || now.atMs <= before.atMs) return;
    const perSecond = 1000 / (now.atMs - before.atMs);
    this.#history.push(rates((series) => Math.max(0, now.bytes[series] - before.bytes[series]) * perSecond));
    if (this.#history.length > MAX_THROUGHPUT_SAMPLES) this.#history.shift();
  }

  get now(): ThroughputRates {
    return this.#history.at(-1) ?? rates(() => 0);
  }

  /** Oldest first; at most {@link MAX_THROUGHPUT_SAMPLES}. */
  get history(): readonly ThroughputRates[] {
    return this.#history;
  }
}

function rates(of: (series: ThroughputSeries) => number): ThroughputRates {
  return { sendfile: of('sendfile'), copy: of('copy'), paced: of('paced'), parent: of('parent'), origin: of('origin') };
}
