/** Upper bounds of histograms: 1 ms × 2^n, 24 of them, as Dragonfly's client has them (docs/WIRE.md 6.1). */
export const DRAGONFLY_DURATION_BUCKETS_MS: number[] = Array.from({ length: 24 }, (_, exponent) => 2 ** exponent);
/** Those of our own histograms. */
export const DURATION_BUCKETS_SECONDS: number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];
