import { LRUCache } from 'lru-cache';
import type { TaskId } from '../../core/task-id.js';

/** Tasks whose announcements are counted; the least recently announced one is forgotten. */
const MAX_TASKS = 1024;
/** Pieces examined per choice. */
const MAX_EXAMINED = 512;

/**
 * Which piece a child hears of next: the one that this host has told fewest children of. So several children start with different pieces
 * and can then give to each other, whatever they are programmed to ask for.
 */
export class AnnouncementOrder {
  readonly #random: () => number;
  readonly #told = new LRUCache<TaskId, Map<number, number>>({ max: MAX_TASKS });

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Nobody wants the task any more: whoever comes next starts anew. */
  forget(taskId: TaskId): void {
    this.#told.delete(taskId);
  }

  /** Of `interested`, one that `isHere`, or undefined; the choice counts as told. */
  next(taskId: TaskId, interested: ReadonlySet<number>, isHere: (number: number) => boolean): number | undefined {
    const told = this.#told.get(taskId) ?? new Map<number, number>();
    this.#told.set(taskId, told);
    let best: number | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    let examined = 0;
    for (const number of interested) {
      if (!isHere(number)) continue;
      if (examined++ === MAX_EXAMINED) break;
      const rank = (told.get(number) ?? 0) + this.#random();
      if (rank < bestRank) [best, bestRank] = [number, rank];
    }
    if (best !== undefined) told.set(best, (told.get(best) ?? 0) + 1);
    return best;
  }
}
