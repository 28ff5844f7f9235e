import type { StoredTask } from '../../src/peer/store/stored-task.js';
import type { Random } from './random.js';

/** Other peers' requests for ranges of a task that is still coming: each must be told of its end, one way or the other. */
export class SimulatedUploads {
  readonly #random: Random;
  waiting = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  ask(task: StoredTask): void {
    const { layout } = task;
    if (layout === undefined || layout.count === 0) return;
    const range = layout.slice(this.#random.between(0, layout.count - 1));
    this.waiting++;
    const end = (): void => {
      this.waiting--;
    };
    task.whenAvailable(range, new AbortController().signal).then(end, end);
  }
}
