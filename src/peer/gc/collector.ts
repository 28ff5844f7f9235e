import { statfs } from 'node:fs/promises';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { TaskId } from '../../core/task-id.js';
import type { TaskStore } from '../store/task-store.js';
import { chooseVictims } from './policy.js';

export interface CollectorOptions {
  store: TaskStore;
  /** Told of each task that went, so that the scheduler no longer offers us for it. */
  onRemoved: (taskId: TaskId) => Promise<void>;
  intervalMs: number;
  taskTtlMs: number;
  /** Our quota; 0 takes what the file system has left, and what we hold of it. */
  thresholdBytes: number;
  highPercent: number;
  lowPercent: number;
  directory: string;
  clock: Clock;
  logger: Logger;
}

/** Removes old tasks, and the least recently used ones when our quota is nearly used up. */
export class Collector {
  readonly #options: CollectorOptions;
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, intervalMs, logger } = this.#options;
    this.#cancel = clock.after(
      intervalMs,
      () => {
        this.#running = this.collect()
          .catch((error: unknown) =>
            logger.error({ err: error }, 'garbage collection failed; it is tried again at the next interval'),
          )
          .finally(() => {
            if (!this.#stopped) this.start();
          });
      },
      { unref: true },
    );
  }

  /** Waits for a collection under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  async collect(): Promise<void> {
    const { store, clock, logger, onRemoved, taskTtlMs, highPercent, lowPercent } = this.#options;
    const tasks = store.tasks().map((task) => ({
      taskId: task.taskId,
      bytes: task.storedBytes,
      lastUsedMs: task.lastUsedMs,
      pinned: task.pinned,
      stored: task,
    }));
    const policy = { taskTtlMs, capacityBytes: await this.#capacity(), highPercent, lowPercent };
    for (const { task, reason } of chooseVictims(tasks, policy, clock.now())) {
      // Somebody may have started to use it meanwhile.
      if (task.stored.pinned || !(await store.remove(task.stored.taskId))) continue;
      logger.info({ taskId: task.taskId, bytes: task.bytes, reason }, 'a task was collected');
      await onRemoved(task.stored.taskId).catch((error: unknown) =>
        logger.debug({ err: error, taskId: task.taskId }, 'the scheduler was not told of a collected task'),
      );
    }
  }

  async #capacity(): Promise<number> {
    const { thresholdBytes, directory, store } = this.#options;
    if (thresholdBytes > 0) return thresholdBytes;
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize + store.storedBytes;
  }
}
