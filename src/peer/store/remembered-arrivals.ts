import { LRUCache } from 'lru-cache';

/** Pieces of all tasks together whose blocks' sums are remembered after they were stored. */
export const MAX_REMEMBERED_ARRIVALS = 4096;

/** What came lately, and how to forget it; of more than so much the oldest is forgotten. */
export class RememberedArrivals extends LRUCache<object, () => void> {
  constructor() {
    super({
      max: MAX_REMEMBERED_ARRIVALS,
      dispose: (forget, _, reason) => {
        if (reason === 'evict') forget();
      },
    });
  }
}
