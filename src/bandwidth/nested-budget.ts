import type { ByteBudget, LeaseSize } from '../core/byte-budget.js';

/**
 * Several budgets spent one within the other: a byte moves only when each of them allows it.
 * Put the narrowest first: what a later one doesn't grant is given back to the earlier ones.
 */
export class NestedBudget implements ByteBudget {
  readonly #budgets: readonly ByteBudget[];
  /** Those of the last lease, by budget: who spends has one lease at a time. */
  #terms: readonly (object | undefined)[] = [];

  constructor(budgets: readonly ByteBudget[]) {
    this.#budgets = budgets;
  }

  async take(wanted: number, signal: AbortSignal, size?: LeaseSize): Promise<number> {
    const granted: number[] = [];
    const terms: (object | undefined)[] = [];
    this.#terms = terms;
    let lease = wanted;
    try {
      for (const budget of this.#budgets) {
        lease = await budget.take(lease, signal, size);
        granted.push(lease);
        // A later budget may keep us waiting while this one's limit changes.
        terms.push(budget.terms);
      }
    } catch (error) {
      this.#settle(granted, 0);
      throw error;
    }
    this.#settle(granted, lease);
    return lease;
  }

  giveBack(unspent: number): void {
    for (const [index, budget] of this.#budgets.entries()) budget.giveBack(unspent, this.#terms[index]);
  }

  #settle(granted: readonly number[], used: number): void {
    for (const [index, bytes] of granted.entries())
      if (bytes > used) this.#budgets[index]?.giveBack(bytes - used, this.#terms[index]);
  }
}
