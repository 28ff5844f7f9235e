/** `soon`: as soon as anything may move. `large`: rather fewer leases, each worth some 40 ms, for whoever pays by the lease. */
export type LeaseSize = 'soon' | 'large';

/** Permission to move bytes, handed out in leases. A limiter implements it; who moves bytes spends it. */
export interface ByteBudget {
  /**
   * Resolves with a lease of 1 to `wanted` bytes as soon as some may move.
   * Rejects with the signal's reason; nothing is charged then. Default size: `soon`.
   */
  take(wanted: number, signal: AbortSignal, size?: LeaseSize): Promise<number>;
  /** Stands for the limit that it grants within now: another object after each change. Undefined where there is none. */
  readonly terms?: object | undefined;
  /** Returns what was leased but not moved. `terms` are those of the lease, where they may have changed since. */
  giveBack(unspent: number, terms?: object): void;
}
