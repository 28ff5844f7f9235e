import { statfs } from 'node:fs/promises';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { TaskId } from '../../core/task-id.js';
import type { Quarantine } from '../store/quarantine.js';
import type { TaskStore } from '../store/task-store.js';
import { chooseVictims, isCrowded } from './policy.js';

/** Keys below `gc`; they may change at run time. */
export interface GcSettings {
  intervalMs: number;
  taskTtlMs: number;
  /** Our quota; 0 takes what the file system has left, and what we hold of it. */
  thresholdBytes: number;
  highPercent: number;
  lowPercent: number;
}

export interface CollectorOptions {
  store: TaskStore;
  quarantine: Quarantine;
  /** Told of each task that went, so that the scheduler no longer offers us for it. */
  onRemoved: (taskId: TaskId) => Promise<void>;
  directory: string;
  clock: Clock;
  logger: Logger;
}

/** Removes old tasks, and the least recently used ones when our quota is nearly used up; what is in quarantine goes before any of them. */
export class Collector {
  readonly #options: CollectorOptions;
  #settings: GcSettings;
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #state: 'stopped' | 'waiting' | 'collecting' = 'stopped';

  constructor(options: CollectorOptions, settings: GcSettings) {
    this.#options = options;
    this.#settings = settings;
  }

  start(): void {
    this.#schedule();
  }

  /** In force from the next collection on; it comes a whole interval from now, if the interval is another one. */
  configure(settings: GcSettings): void {
    const isSameInterval = settings.intervalMs === this.#settings.intervalMs;
    this.#settings = settings;
    if (!isSameInterval && this.#state === 'waiting') this.#schedule();
  }

  /** Waits for a collection under way. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#cancel();
    await this.#running;
  }

  async collect(): Promise<void> {
    const { store, clock } = this.#options;
    const { taskTtlMs, highPercent, lowPercent } = this.#settings;
    const heldBytes = await this.#emptyQuarantine();
    const policy = { taskTtlMs, capacityBytes: await this.#capacity(heldBytes), highPercent, lowPercent };
    const tasks = store.tasks().map((task) => ({
      taskId: task.taskId,
      bytes: task.storedBytes,
      lastUsedMs: task.lastUsedMs,
      pinned: task.pinned,
    }));
    for (const { task, reason } of chooseVictims(tasks, policy, clock.now())) await this.#remove(task, reason);
  }

  #schedule(): void {
    this.#state = 'waiting';
    this.#cancel();
    const start = (): void => {
      this.#running = this.#run();
    };
    this.#cancel = this.#options.clock.after(this.#settings.intervalMs, start, { unref: true });
  }

  async #run(): Promise<void> {
    this.#state = 'collecting';
    try {
      await this.collect();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'garbage collection failed; it is tried again at the next interval');
    }
    if (this.#isCollecting()) this.#schedule();
  }

  /** Not stopped meanwhile. */
  #isCollecting(): boolean {
    return this.#state === 'collecting';
  }

  async #remove({ taskId, bytes }: { taskId: TaskId; bytes: number }, reason: string): Promise<void> {
    const { store, logger, onRemoved } = this.#options;
    // Somebody may have begun to use it meanwhile.
    if (store.get(taskId)?.pinned !== false || !(await store.remove(taskId))) return;
    logger.info({ taskId, bytes, reason }, 'a task was collected');
    await onRemoved(taskId).catch((error: unknown) =>
      logger.debug({ err: error, taskId }, 'the scheduler was not told of a collected task'),
    );
  }

  /** Drops what is older than tasks may be, and everything when it would cost a task. Resolves with the bytes that are left. */
  async #emptyQuarantine(): Promise<number> {
    const { quarantine, store, clock, logger } = this.#options;
    const { taskTtlMs, highPercent, lowPercent } = this.#settings;
    const files = await quarantine.list();
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const policy = { taskTtlMs, capacityBytes: await this.#capacity(bytes), highPercent, lowPercent };
    const crowded = isCrowded(store.storedBytes + bytes, policy);
    for (const file of files) {
      if (!crowded && clock.now() - file.sinceMs <= taskTtlMs) continue;
      await quarantine.remove(file);
      bytes -= file.bytes;
      logger.info({ file: file.name, bytes: file.bytes }, 'a damaged file was removed from quarantine');
    }
    return bytes;
  }

  async #capacity(quarantinedBytes: number): Promise<number> {
    const { directory, store } = this.#options;
    const { thresholdBytes } = this.#settings;
    if (thresholdBytes > 0) return thresholdBytes;
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize + store.storedBytes + quarantinedBytes;
  }
}
