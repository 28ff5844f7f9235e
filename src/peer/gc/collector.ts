import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { TaskId } from '../../core/task-id.js';
import type { Quarantine, QuarantinedFile } from '../store/quarantine.js';
import type { TaskStore } from '../store/task-store.js';
import { chooseVictims, isCrowded, oldestFirst, type CollectionReason } from './policy.js';

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
  maxTasks?: number;
  quarantine: Quarantine;
  /** Told of each task that went, so that the scheduler no longer offers us for it. */
  onRemoved: (taskId: TaskId) => Promise<void>;
  /** Told of the same, for the metrics. */
  onCollected: (reason: CollectionReason, bytes: number) => void;
  /** Of the file system that holds the store, for us. */
  freeBytes: () => Promise<number>;
  clock: Clock;
  logger: Logger;
}

interface CollectedTask {
  taskId: TaskId;
  bytes: number;
}

/** The daemon has all of them in memory, some kilobytes each, and must be able to start with them. */
export const MAX_STORED_TASKS = 100_000;

/** Left free beside what a download lacks: for metadata, and for what others write meanwhile. */
export const ROOM_RESERVE_BYTES = 8 * 1024 * 1024;

/** Removes old tasks, and the least recently used ones when our quota is nearly used up; what is in quarantine goes before any of them. */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #startedAt: { ms: number; monotonicMs: number };
  #settings: GcSettings;
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  /** Words to the scheduler on their way; its patience bounds them. */
  readonly #telling = new Set<Promise<void>>();
  #state: 'new' | 'waiting' | 'collecting' | 'ended' = 'new';

  constructor(options: CollectorOptions, settings: GcSettings) {
    const { clock } = options;
    this.#options = options;
    this.#startedAt = { ms: clock.now(), monotonicMs: clock.monotonicMs() };
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

  /**
   * Frees so many bytes of the disk at once, by what was not used for longest; for a download that has filled it. Resolves with false when
   * all that may go would not be enough: then nothing goes. Never rejects.
   */
  makeRoom(bytes: number): Promise<boolean> {
    const made = this.#running.then(() => this.#tryToMakeRoom(bytes));
    this.#running = made.then(() => undefined);
    return made;
  }

  /** Ends a collection under way before its next task: with many tasks, the rest would take minutes. */
  async stop(): Promise<void> {
    this.#state = 'ended';
    this.#cancel();
    await this.#running;
    await Promise.all(this.#telling);
  }

  async collect(): Promise<void> {
    const { store, clock, maxTasks = MAX_STORED_TASKS } = this.#options;
    const { taskTtlMs, highPercent, lowPercent } = this.#settings;
    const heldBytes = await this.#emptyQuarantine();
    const policy = { taskTtlMs, capacityBytes: await this.#capacity(heldBytes), highPercent, lowPercent, maxTasks };
    const nowMs = clock.now();
    const tasks = store.tasks().map((task) => ({
      taskId: task.taskId,
      bytes: task.storedBytes,
      lastUsedMs: nowMs - this.#ageMs(task.lastUsedMs, nowMs),
      pinned: task.pinned,
    }));
    for (const { task, reason } of chooseVictims(tasks, policy, nowMs)) {
      if (this.#hasEnded()) return;
      await this.#remove(task, reason);
    }
  }

  #schedule(): void {
    this.#state = 'waiting';
    this.#cancel();
    const start = (): void => {
      this.#running = this.#running.then(() => this.#run());
    };
    this.#cancel = this.#options.clock.after(this.#settings.intervalMs, start, { unref: true });
  }

  async #run(): Promise<void> {
    // It was due while room was being made, and nobody waits for it any more.
    if (this.#hasEnded()) return;
    this.#state = 'collecting';
    try {
      await this.collect();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'garbage collection failed; it is tried again at the next interval');
    }
    if (!this.#hasEnded()) this.#schedule();
  }

  /** The daemon ends: what is left to remove is removed by the next one. */
  #hasEnded(): boolean {
    return this.#state === 'ended';
  }

  async #tryToMakeRoom(bytes: number): Promise<boolean> {
    const { freeBytes, logger } = this.#options;
    try {
      const lacking = bytes + ROOM_RESERVE_BYTES - (await freeBytes());
      if (lacking <= 0) return true;
      const dispensable = await this.#findDispensable(lacking);
      if (dispensable === undefined) return false;
      for (const file of dispensable.files) await this.#removeFile(file);
      for (const task of dispensable.tasks) {
        if (this.#hasEnded()) return false;
        await this.#remove(task, 'room');
      }
      return true;
    } catch (error) {
      logger.error({ err: error }, 'no room could be made on the disk');
      return false;
    }
  }

  /** Undefined when there is less than that. What is an output as well takes its place for that, and would free nothing. */
  async #findDispensable(bytes: number): Promise<{ files: QuarantinedFile[]; tasks: CollectedTask[] } | undefined> {
    const { store, quarantine } = this.#options;
    const files = await quarantine.list();
    const tasks: CollectedTask[] = [];
    let lacking = bytes - files.reduce((sum, file) => sum + file.bytes, 0);
    for (const task of oldestFirst(store.tasks())) {
      if (lacking <= 0) break;
      if (await task.isShared()) continue;
      tasks.push({ taskId: task.taskId, bytes: task.storedBytes });
      lacking -= task.storedBytes;
    }
    return lacking > 0 ? undefined : { files, tasks };
  }

  async #remove({ taskId, bytes }: CollectedTask, reason: CollectionReason): Promise<void> {
    const { store, logger, onRemoved, onCollected } = this.#options;
    // Somebody may have begun to use it meanwhile.
    if (store.get(taskId)?.pinned !== false || !(await store.remove(taskId))) return;
    logger.info({ taskId, bytes, reason }, 'a task was collected');
    onCollected(reason, bytes);
    const telling = onRemoved(taskId)
      .catch((error: unknown) => logger.debug({ err: error, taskId }, 'the scheduler was not told of a collected task'))
      .finally(() => this.#telling.delete(telling));
    this.#telling.add(telling);
  }

  /** Drops what is older than tasks may be, and everything when it would cost a task. Resolves with the bytes that are left. */
  async #emptyQuarantine(): Promise<number> {
    const { quarantine, store, clock } = this.#options;
    const { taskTtlMs, highPercent } = this.#settings;
    const files = await quarantine.list();
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const policy = { capacityBytes: await this.#capacity(bytes), highPercent };
    const crowded = isCrowded(store.storedBytes + bytes, policy);
    for (const file of files) {
      if (!crowded && this.#ageMs(file.sinceMs, clock.now()) <= taskTtlMs) continue;
      await this.#removeFile(file);
      bytes -= file.bytes;
    }
    return bytes;
  }

  /** A clock that was set forward meanwhile makes nothing older: not by hours, nor from 1970 by decades. */
  #ageMs(atMs: number, nowMs: number): number {
    const { ms, monotonicMs } = this.#startedAt;
    const livedMs = this.#options.clock.monotonicMs() - monotonicMs;
    const unsetMs = Math.min(nowMs, ms + livedMs);
    return (atMs > unsetMs ? nowMs : unsetMs) - atMs;
  }

  async #removeFile(file: QuarantinedFile): Promise<void> {
    const { quarantine, logger } = this.#options;
    await quarantine.remove(file);
    logger.info({ file: file.name, bytes: file.bytes }, 'a damaged file was removed from quarantine');
  }

  async #capacity(quarantinedBytes: number): Promise<number> {
    const { freeBytes, store } = this.#options;
    const { thresholdBytes } = this.#settings;
    if (thresholdBytes > 0) return thresholdBytes;
    return (await freeBytes()) + store.storedBytes + quarantinedBytes;
  }
}
