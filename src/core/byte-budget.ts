/** Permission to move bytes, handed out in leases. A limiter implements it; who moves bytes spends it. */
export interface ByteBudget {
  /**
   * Resolves with a lease of 1 to `wanted` bytes as soon as some may move.
   * Rejects with the signal's reason; nothing is charged then.
   */
  take(wanted: number, signal: AbortSignal): Promise<number>;
  /** Returns what was leased but not moved. */
  giveBack(unspent: number): void;
}
