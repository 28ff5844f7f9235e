import type { TaskId } from '../../core/task-id.js';

/** Tasks of an earlier process that are checked at once; what somebody waits for is checked out of turn. */
export const MAX_CONCURRENT_CHECKS = 8;

type Check = () => Promise<void>;

/** The checks of an earlier process's tasks: a few at a time, in the background. Checks never reject. */
export class StartupChecks {
  readonly #waiting = new Map<TaskId, Check>();
  readonly #running = new Map<TaskId, Promise<void>>();
  /** One that goes on: from the front it would pass all that is done, each time. */
  #next = this.#waiting.entries();
  #onIdle: (() => void)[] = [];

  add(taskId: TaskId, check: Check): void {
    this.#waiting.set(taskId, check);
    this.#fill();
  }

  /** Resolves once the task's check is over; at once for all others. */
  async settled(taskId: TaskId): Promise<void> {
    const waiting = this.#waiting.get(taskId);
    if (waiting !== undefined) this.#start(taskId, waiting);
    await this.#running.get(taskId);
  }

  async allSettled(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Starts no more, and waits for those under way. */
  async stop(): Promise<void> {
    this.#waiting.clear();
    await this.allSettled();
  }

  #fill(): void {
    while (this.#running.size < MAX_CONCURRENT_CHECKS) {
      const { value, done } = this.#next.next();
      if (done === true) {
        this.#next = this.#waiting.entries();
        return;
      }
      this.#start(...value);
    }
  }

  #start(taskId: TaskId, check: Check): void {
    this.#waiting.delete(taskId);
    const running = check().finally(() => {
      this.#running.delete(taskId);
      this.#fill();
      if (this.#running.size > 0) return;
      for (const resolve of this.#onIdle.splice(0)) resolve();
    });
    this.#running.set(taskId, running);
  }
}
