import type { DownloadBudgets } from '../../src/peer/download/download-budgets.js';

export const NO_BUDGETS: DownloadBudgets = {
  forParentPiece: () => [],
  forOriginPiece: () => [],
  forOriginStream: () => [],
};
