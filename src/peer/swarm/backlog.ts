import type { TaskId } from '../../core/task-id.js';
import type { PacedChild } from './paced-child.js';

/** Children of a task that a piece is looked for at: enough for a good guess, however many there are. */
export const MAX_ASKED_OF_NEWS = 16;

/**
 * Copies that children are still to give of what we gave to one of them alone. Were news given by what children lack, those whose lines are busy
 * would get all of it: what they pass on they don't get from others, so they lack the most, while the lines of the others have nothing to carry.
 */
export class Backlogs {
  readonly #childrenOf: (taskId: TaskId) => Iterable<PacedChild>;
  readonly #asked = new Map<TaskId, PacedChild[]>();
  readonly #copies = new Map<PacedChild, number>();

  /** `childrenOf`: all of a task. What is counted once stays so, for a moment's decisions. */
  constructor(childrenOf: (taskId: TaskId) => Iterable<PacedChild>) {
    this.#childrenOf = childrenOf;
  }

  of(child: PacedChild): number {
    const copies = this.#copies.get(child) ?? this.#count(child);
    this.#copies.set(child, copies);
    return copies;
  }

  /** It was told of something. */
  changed(child: PacedChild): void {
    this.#copies.delete(child);
  }

  #count(child: PacedChild): number {
    if (child.news.size === 0) return 0;
    const asked = this.#asked.get(child.taskId) ?? [...this.#childrenOf(child.taskId)].slice(0, MAX_ASKED_OF_NEWS);
    this.#asked.set(child.taskId, asked);
    let copies = 0;
    for (const number of child.news) {
      const lacking = asked.filter((other) => other !== child && !other.mayHave(number)).length;
      if (lacking === 0) child.news.delete(number);
      copies += lacking;
    }
    return copies;
  }
}
