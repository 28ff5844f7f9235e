import type { Clock } from '../../core/clock.js';

/** A rate is the mean of this time: running sendfiles are counted once a second, at their own beat. */
export const RATE_WINDOW_MS = 3000;

/** One transfer as it is now. */
export interface TransferCount {
  /** Tells it from the others. */
  id: number;
  bytes: number;
  /** Milliseconds since the Unix epoch. */
  sinceMs: number;
}

interface Sample {
  /** Monotonic: a clock that is set changes no rate. */
  ms: number;
  bytes: number;
}

/** How fast each transfer has been lately: the mean since its start hides one that has stalled, or a limit that was set since. */
export class TransferRates {
  readonly #clock: Clock;
  /** Oldest first, by id; the first one is the start, or as old as the window. */
  #samples = new Map<number, Sample[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param transfers all that are under way; others are forgotten */
  sample(transfers: readonly TransferCount[]): void {
    const ms = this.#clock.monotonicMs();
    const samples = new Map<number, Sample[]>();
    for (const transfer of transfers) {
      const kept = this.#samples.get(transfer.id) ?? [this.#start(transfer)];
      while (kept[1] !== undefined && ms - kept[1].ms >= RATE_WINDOW_MS) kept.shift();
      kept.push({ ms, bytes: transfer.bytes });
      samples.set(transfer.id, kept);
    }
    this.#samples = samples;
  }

  /** Bytes a second. */
  of(transfer: TransferCount): number {
    const from = this.#samples.get(transfer.id)?.[0] ?? this.#start(transfer);
    const ms = this.#clock.monotonicMs() - from.ms;
    return ms < 1 ? 0 : Math.max(0, Math.round(((transfer.bytes - from.bytes) / ms) * 1000));
  }

  #start({ sinceMs }: TransferCount): Sample {
    return { ms: this.#clock.monotonicMs() - Math.max(0, this.#clock.now() - sinceMs), bytes: 0 };
  }
}
