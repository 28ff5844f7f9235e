import type { ByteBudget } from '../../core/byte-budget.js';

/** What bytes that come in must ask; an empty list for a transfer that need not even ask, which costs a thread's message each 256 KiB. */
export interface DownloadBudgets {
  forParentPiece(): ByteBudget[];
  forOriginPiece(): ByteBudget[];
  /** Also those that limit nothing now: a stream may run for hours, and obeys limits that are set meanwhile. */
  forOriginStream(): ByteBudget[];
}

/** One more that every byte spends. */
export function withBudget(budgets: DownloadBudgets, own: ByteBudget): DownloadBudgets {
  return {
    forParentPiece: () => [...budgets.forParentPiece(), own],
    forOriginPiece: () => [...budgets.forOriginPiece(), own],
    forOriginStream: () => [...budgets.forOriginStream(), own],
  };
}
