import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { atMostEvery, type Clock, systemClock } from '../../core/clock.js';
import { DfpeerError, errnoOf } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { TaskId } from '../../core/task-id.js';
import type { PieceSource, ServedTask } from '../../upload/piece-source.js';
import { diskError, mapDiskError } from '../disk-error.js';
import type { LoadedTask, MetadataStore, TaskRecord } from './metadata.js';
import { openMetadata } from './open-metadata.js';
import { Quarantine } from './quarantine.js';
import { ServedView } from './served-view.js';
import { RememberedArrivals } from './remembered-arrivals.js';
import { SharedFile } from './shared-file.js';
import { StartupChecks } from './startup-checks.js';
import { StoredTask } from './stored-task.js';
import { DiskTaskFiles, type FileMark, type TaskFiles } from './task-files.js';
import { TaskRestorer } from './task-restorer.js';

export interface TaskStoreOptions {
  files: TaskFiles;
  metadata: MetadataStore;
  logger: Logger;
  clock?: Clock;
  /** Files kept open after their last reader left. */
  maxIdleFiles?: number;
}

/** What a new task starts with. */
export type NewTask = Pick<
  TaskRecord,
  | 'taskId'
  | 'url'
  | 'tag'
  | 'application'
  | 'filteredQueryParams'
  | 'contentLength'
  | 'pieceLength'
  | 'fixedPieceLength'
  | 'etag'
  | 'lastModified'
  | 'responseHeader'
>;

export const DEFAULT_MAX_IDLE_FILES = 64;
/** More tasks than this are not named in a log line. */
const MAX_NAMED_TASKS = 8;
/** A disk in trouble, or a want of descriptors, meets every request. */
const UNREADABLE_WARNING_INTERVAL_MS = 60_000;

/** All tasks of this node. One process at a time: the metadata's lock sees to it. */
export class TaskStore implements PieceSource {
  readonly #files: TaskFiles;
  readonly #metadata: MetadataStore;
  readonly #arrivals = new RememberedArrivals();
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #tasks = new Map<TaskId, StoredTask>();
  /** Tasks of an earlier process; they show once they are checked. */
  readonly #checks = new StartupChecks();
  readonly #stopChecks = new AbortController();
  readonly #restorer: TaskRestorer;
  readonly #openFiles: LRUCache<TaskId, SharedFile>;
  /** Creations under way, one a task at a time: a disk that hangs keeps them longer than their callers wait. */
  readonly #creating = new Map<TaskId, Promise<StoredTask>>();
  /** Removals under way: nothing new of the same id may begin before. */
  readonly #erasing = new Map<TaskId, Promise<void>>();
  /** Removed, but something of them may be left on the disk. */
  readonly #leftovers = new Set<TaskId>();
  readonly #tellOfUnreadable: (err: DfpeerError) => void;
  #closed = false;

  private constructor(options: TaskStoreOptions) {
    this.#files = options.files;
    this.#metadata = options.metadata;
    this.#logger = options.logger;
    this.#clock = options.clock ?? systemClock;
    this.#openFiles = new LRUCache({
      max: options.maxIdleFiles ?? DEFAULT_MAX_IDLE_FILES,
      dispose: (file) => file.retire(),
    });
    this.#tellOfUnreadable = atMostEvery(this.#clock, UNREADABLE_WARNING_INTERVAL_MS, (err) =>
      this.#logger.error({ err }, 'the data file of a task could not be read for an upload'),
    );
    this.#restorer = new TaskRestorer({
      ...options,
      makeTask: (record) => this.#makeTask(record),
      signal: this.#stopChecks.signal,
    });
  }

  /** Opens the store in a directory of the real file system. @throws DfpeerError DFP_STORE_LOCKED, DFP_STORE_UNTRUSTED */
  static async openDirectory(
    directory: string,
    options: Omit<TaskStoreOptions, 'files' | 'metadata'>,
  ): Promise<TaskStore> {
    const quarantine = new Quarantine(directory);
    const files = await DiskTaskFiles.open(directory, quarantine);
    const metadata = await openMetadata({
      directory: join(directory, 'metadata'),
      quarantine,
      logger: options.logger,
    });
    try {
      return await TaskStore.open({ ...options, metadata, files });
    } catch (error) {
      await metadata.close();
      throw error;
    }
  }

  static async open(options: TaskStoreOptions): Promise<TaskStore> {
    const store = new TaskStore(options);
    await store.#load();
    return store;
  }

  get(taskId: TaskId): StoredTask | undefined {
    return this.#tasks.get(taskId);
  }

  /** Waits until a task of an earlier process has been checked. One whose file was changed or removed from outside is dropped. */
  async settled(taskId: TaskId): Promise<StoredTask | undefined> {
    await this.#checks.settled(taskId);
    const task = this.#tasks.get(taskId);
    if (task !== undefined && !(await task.isUntouched())) await this.#letGo(task);
    // It may have been removed while it was looked at.
    return this.#tasks.get(taskId);
  }

  /** All checks of an earlier process's tasks are done. */
  async allSettled(): Promise<void> {
    await this.#checks.allSettled();
  }

  tasks(): StoredTask[] {
    return [...this.#tasks.values()];
  }

  get storedBytes(): number {
    let total = 0;
    for (const task of this.#tasks.values()) total += task.storedBytes;
    return total;
  }

  /** Starts a task afresh, in place of whatever was there. */
  async create(init: NewTask): Promise<StoredTask> {
    const { taskId } = init;
    const earlier = Promise.allSettled([this.#creating.get(taskId)]);
    const creating = earlier
      .then(() => this.#create(init))
      .finally(() => {
        if (this.#creating.get(taskId) === creating) this.#creating.delete(taskId);
      });
    this.#creating.set(taskId, creating);
    return creating;
  }

  /** Forgets a task and deletes its bytes; readers that have it open read on. */
  async remove(taskId: TaskId): Promise<boolean> {
    if (this.#closed) throw new DfpeerError('DFP_SHUTTING_DOWN', 'the store is closed');
    const task = this.#tasks.get(taskId);
    if (task === undefined) return false;
    this.#tasks.delete(taskId);
    this.#openFiles.delete(taskId);
    task.markRemoved();
    await this.#erase(taskId, task.written);
    return true;
  }

  open(taskId: TaskId): ServedTask | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined || this.#closed) return undefined;
    const file = this.#openFile(task);
    if (file === undefined) return undefined;
    if (task.isUntouchedBy(this.#markOf(file, taskId))) return new ServedView(task, file);
    this.#letGoMeanwhile(task);
    return undefined;
  }

  /** Syncs and seals partial tasks, notes when tasks were used, closes files. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopChecks.abort();
    await Promise.allSettled([this.#checks.stop(), ...this.#creating.values(), ...this.#erasing.values()]);
    const sealed = await Promise.allSettled([...this.#tasks.values()].map((task) => task.seal()));
    for (const result of sealed)
      if (result.status === 'rejected')
        this.#logger.warn(
          { err: result.reason as unknown },
          'a partial task could not be sealed; its pieces are checked again at the next start',
        );
    this.#openFiles.clear();
    await this.#metadata.close();
  }

  #letGoMeanwhile(task: StoredTask): void {
    this.#letGo(task).catch((error: unknown) =>
      this.#logger.error(
        { taskId: task.taskId, err: error },
        'a task that was changed from outside could not be removed',
      ),
    );
  }

  /**
   * Somebody edits the file through another name for it: it is theirs now, nothing of it is served, and nothing is written to it. Or
   * somebody has removed it: nobody may be told any longer that its pieces are here.
   */
  async #letGo(task: StoredTask): Promise<void> {
    if (this.#tasks.get(task.taskId) !== task) return;
    this.#logger.warn(
      { taskId: task.taskId },
      'the data file of a task was changed or removed from outside, perhaps through an output that is a hard link; the task is dropped and fetched again when it is wanted',
    );
    await this.remove(task.taskId);
  }

  async #create(init: NewTask): Promise<StoredTask> {
    if (this.#closed) throw new DfpeerError('DFP_SHUTTING_DOWN', 'the store is closed');
    await this.remove(init.taskId);
    await this.#erasing.get(init.taskId)?.catch(() => undefined);
    if (this.#leftovers.has(init.taskId)) await this.#erase(init.taskId);
    const now = this.#clock.now();
    const record: TaskRecord = {
      ...init,
      createdAtMs: now,
      updatedAtMs: now,
      lastUsedMs: now,
      finishedAtMs: undefined,
      contentDigest: undefined,
      mark: undefined,
    };
    await this.#files.create(init.taskId);
    if (init.contentLength !== undefined) await this.#files.setLength(init.taskId, init.contentLength);
    await mapDiskError(`record task ${init.taskId}`, () => this.#metadata.putTask(record, { sync: false }));
    const task = this.#makeTask(record);
    this.#tasks.set(init.taskId, task);
    return task;
  }

  /** @param written the last write of its record, which must not come after the removal */
  async #erase(taskId: TaskId, written?: Promise<void>): Promise<void> {
    this.#leftovers.add(taskId);
    const erasing = mapDiskError(`remove task ${taskId}`, async () => {
      await written;
      // The record goes last: a kill in between must not leave a file of which nobody knows whose it is.
      await this.#files.remove(taskId);
      await this.#metadata.deleteTask(taskId);
      this.#leftovers.delete(taskId);
    }).finally(() => {
      if (this.#erasing.get(taskId) === erasing) this.#erasing.delete(taskId);
    });
    this.#erasing.set(taskId, erasing);
    await erasing;
  }

  #openFile(task: StoredTask): SharedFile | undefined {
    const { taskId } = task;
    const known = this.#openFiles.get(taskId);
    if (known !== undefined) return known;
    try {
      const file = new SharedFile(this.#files.openForReading(taskId));
      this.#openFiles.set(taskId, file);
      return file;
    } catch (error) {
      const errno = errnoOf(error);
      // ELOOP: a link has its place.
      if (errno !== 'ENOENT' && errno !== 'ELOOP')
        throw this.#unreadable(`open the data file of task ${taskId}`, error);
      this.#letGoMeanwhile(task);
      return undefined;
    }
  }

  /** @throws DfpeerError DFP_STORE_IO, as of a file system that has shut itself down */
  #markOf(file: SharedFile, taskId: TaskId): FileMark {
    try {
      return file.mark();
    } catch (error) {
      throw this.#unreadable(`look at the data file of task ${taskId}`, error);
    }
  }

  #unreadable(doing: string, cause: unknown): DfpeerError {
    const error = diskError(doing, cause);
    this.#tellOfUnreadable(error);
    return error;
  }

  #makeTask(record: TaskRecord): StoredTask {
    const [files, metadata, arrivals, clock] = [this.#files, this.#metadata, this.#arrivals, this.#clock];
    return new StoredTask(record, { files, metadata, arrivals, clock });
  }

  async #load(): Promise<void> {
    const { tasks, damaged, isSalvaged } = await this.#metadata.load();
    const known = new Set<TaskId>();
    for (const loaded of tasks) {
      known.add(loaded.record.taskId);
      this.#checks.add(loaded.record.taskId, () => this.#restore(loaded, !isSalvaged));
    }
    if (damaged.length > 0)
      this.#logger.warn(
        { tasks: damaged.length, taskIds: damaged.slice(0, MAX_NAMED_TASKS) },
        'some records of stored tasks were damaged and are dropped; their pieces are fetched again when they are wanted',
      );
    await this.#clearAway((await this.#files.list()).filter((taskId) => !known.has(taskId)));
  }

  /** Never rejects: one bad task must not keep the daemon from starting. */
  async #restore(loaded: LoadedTask, trustMark: boolean): Promise<void> {
    const { taskId } = loaded.record;
    try {
      const task = await this.#restorer.restore(loaded, { trustMark });
      if (task !== undefined) this.#tasks.set(taskId, task);
    } catch (error) {
      this.#leftovers.add(taskId);
      this.#logger.error(
        { taskId, err: error },
        'a stored task could not be checked, or not be moved away; the next start tries again',
      );
    }
  }

  /** Data files without a record: creations that were cut off, something foreign, or all of them where the metadata is gone. */
  async #clearAway(strays: readonly TaskId[]): Promise<void> {
    const moved: TaskId[] = [];
    for (const taskId of strays) if (await this.#moveAway(taskId)) moved.push(taskId);
    if (moved.length > 0)
      this.#logger.warn(
        { tasks: moved.length, taskIds: moved.slice(0, MAX_NAMED_TASKS) },
        'data files without a record went to quarantine',
      );
  }

  /** Resolves with true when there was something in it. Never rejects, as above. */
  async #moveAway(taskId: TaskId): Promise<boolean> {
    try {
      if (!(await this.#files.isBlank(taskId))) return await this.#files.quarantine(taskId);
      await this.#files.remove(taskId);
    } catch (error) {
      this.#leftovers.add(taskId);
      this.#logger.error({ taskId, err: error }, 'a data file without a record could not be moved away');
    }
    return false;
  }
}
