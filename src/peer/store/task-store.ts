import { join } from 'node:path';
import { rename } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../../core/clock.js';
import { DfpeerError, errnoOf } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { TaskId } from '../../core/task-id.js';
import type { PieceSource, ServedTask } from '../../upload/piece-source.js';
import { LevelMetadataStore, type LoadedTask, type MetadataStore, type TaskRecord } from './metadata.js';
import { ServedView } from './served-view.js';
import { SharedFile } from './shared-file.js';
import { StoredTask } from './stored-task.js';
import { DiskTaskFiles, ensurePrivateDirectory, mapDiskError, type TaskFiles } from './task-files.js';

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

/** All tasks of this node. One process at a time: the metadata's lock sees to it. */
export class TaskStore implements PieceSource {
  readonly #files: TaskFiles;
  readonly #metadata: MetadataStore;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #tasks = new Map<TaskId, StoredTask>();
  /** Tasks of an earlier process whose bytes are being checked; they show once that is done. */
  readonly #checking = new Map<TaskId, Promise<void>>();
  readonly #openFiles: LRUCache<TaskId, SharedFile>;
  /** Removals under way: nothing new of the same id may begin before. */
  readonly #erasing = new Map<TaskId, Promise<void>>();
  /** Removed, but something of them may be left on the disk. */
  readonly #leftovers = new Set<TaskId>();
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
  }

  /** Opens the store in a directory of the real file system. @throws DfpeerError DFP_STORE_LOCKED, DFP_STORE_UNTRUSTED */
  static async openDirectory(
    directory: string,
    options: Omit<TaskStoreOptions, 'files' | 'metadata'>,
  ): Promise<TaskStore> {
    await ensurePrivateDirectory(directory);
    const metadata = await openMetadata(join(directory, 'metadata'), options.logger);
    try {
      return await TaskStore.open({ ...options, metadata, files: await DiskTaskFiles.open(directory) });
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

  /** Waits until a task of an earlier process has been checked; resolves at once for all others. */
  async settled(taskId: TaskId): Promise<StoredTask | undefined> {
    await this.#checking.get(taskId);
    return this.#tasks.get(taskId);
  }

  /** All checks of an earlier process's tasks are done. */
  async allSettled(): Promise<void> {
    await Promise.all(this.#checking.values());
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
    if (this.#closed) throw new DfpeerError('DFP_SHUTTING_DOWN', 'the store is closed');
    await this.remove(init.taskId);
    await this.#erasing.get(init.taskId)?.catch(() => undefined);
    if (this.#leftovers.has(init.taskId)) await this.#erase(init.taskId);
    const now = this.#clock.now();
    const record: TaskRecord = {
      ...init,
      createdAtMs: now,
      updatedAtMs: now,
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

  /** Forgets a task and deletes its bytes; readers that have it open read on. */
  async remove(taskId: TaskId): Promise<boolean> {
    if (this.#closed) throw new DfpeerError('DFP_SHUTTING_DOWN', 'the store is closed');
    const task = this.#tasks.get(taskId);
    if (task === undefined) return false;
    this.#tasks.delete(taskId);
    this.#openFiles.delete(taskId);
    task.markRemoved();
    await this.#erase(taskId);
    return true;
  }

  open(taskId: TaskId): ServedTask | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined || this.#closed) return undefined;
    const file = this.#openFile(taskId);
    if (file === undefined) return undefined;
    return new ServedView(task, file);
  }

  /** Syncs and seals partial tasks, closes files. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled([...this.#checking.values(), ...this.#erasing.values()]);
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

  async #erase(taskId: TaskId): Promise<void> {
    this.#leftovers.add(taskId);
    const erasing = mapDiskError(`remove task ${taskId}`, async () => {
      await this.#metadata.deleteTask(taskId);
      await this.#files.remove(taskId);
      this.#leftovers.delete(taskId);
    }).finally(() => this.#erasing.delete(taskId));
    this.#erasing.set(taskId, erasing);
    await erasing;
  }

  #openFile(taskId: TaskId): SharedFile | undefined {
    const known = this.#openFiles.get(taskId);
    if (known !== undefined) return known;
    try {
      const file = new SharedFile(this.#files.openForReading(taskId));
      this.#openFiles.set(taskId, file);
      return file;
    } catch (error) {
      this.#logger.error(
        { taskId, errno: errnoOf(error) },
        'the data file of a task could not be opened; the task is fetched again when it is wanted',
      );
      return undefined;
    }
  }

  #makeTask(record: TaskRecord): StoredTask {
    return new StoredTask(record, { files: this.#files, metadata: this.#metadata, now: () => this.#clock.now() });
  }

  async #load(): Promise<void> {
    const { tasks, damaged } = await this.#metadata.load();
    const known = new Set<TaskId>();
    for (const loaded of tasks) {
      const { taskId } = loaded.record;
      known.add(taskId);
      const checked = this.#restore(loaded).catch((error: unknown) => this.#discard(taskId, error));
      this.#checking.set(
        taskId,
        checked.finally(() => this.#checking.delete(taskId)),
      );
    }
    for (const taskId of damaged)
      this.#logger.warn(
        { taskId },
        'some records of a stored task were damaged and are dropped; their pieces are fetched again when they are wanted',
      );
    for (const taskId of await this.#files.list()) {
      if (known.has(taskId)) continue;
      this.#logger.warn({ taskId }, 'a data file without a record goes to quarantine');
      await this.#files.quarantine(taskId);
    }
  }

  /** Never rejects: one bad task must not keep the daemon from starting. */
  async #discard(taskId: TaskId, why: unknown): Promise<void> {
    this.#logger.warn(
      { taskId, err: why },
      'a stored task is damaged; its file goes to quarantine and the task is fetched again when it is wanted',
    );
    this.#tasks.delete(taskId);
    this.#leftovers.add(taskId);
    try {
      await this.#files.quarantine(taskId);
      await this.#metadata.deleteTask(taskId);
      this.#leftovers.delete(taskId);
    } catch (error) {
      this.#logger.error({ taskId, err: error }, 'a damaged task could not be moved away; the next start tries again');
    }
  }

  /** A file that looks as it did when it was last known good is taken as it is; any other has each piece checked. */
  async #restore({ record, pieces }: LoadedTask): Promise<void> {
    const mark = await this.#files.mark(record.taskId);
    if (mark === undefined) throw new DfpeerError('DFP_STORE_DAMAGED', 'there is no data file');
    if (record.contentLength === undefined) {
      // Without a length there is nothing to resume from.
      await this.#metadata.deleteTask(record.taskId);
      await this.#files.remove(record.taskId);
      return;
    }
    if (mark.size !== record.contentLength)
      throw new DfpeerError(
        'DFP_STORE_DAMAGED',
        `its data file has ${mark.size} bytes instead of ${record.contentLength}`,
      );
    const untouched = record.mark?.mtimeMs === mark.mtimeMs && record.mark.inode === mark.inode;
    const task = this.#makeTask(record);
    if (untouched) task.restore(pieces.values());
    else await this.#restoreChecked(task, pieces);
    const incomplete = task.complete && task.pieceCount !== task.layout?.count;
    const restored = incomplete ? await this.#reopen(task) : task;
    this.#tasks.set(record.taskId, restored);
    // Killed between the last piece and the record of completion.
    if (restored.pieceCount === restored.layout?.count)
      await restored
        .finish()
        .catch((error: unknown) =>
          this.#logger.warn({ taskId: record.taskId, err: error }, 'a complete task could not be recorded as complete'),
        );
  }

  async #restoreChecked(task: StoredTask, pieces: LoadedTask['pieces']): Promise<void> {
    const bad: number[] = [];
    for (const piece of pieces.values()) {
      const slice = task.slice(piece.number);
      if (slice !== undefined && (await this.#files.digest(task.taskId, slice)) === piece.digest) task.restore([piece]);
      else bad.push(piece.number);
    }
    if (bad.length === 0) return;
    this.#logger.warn(
      { taskId: task.taskId, pieces: bad.length },
      'stored pieces do not match their digests; they are fetched again when they are wanted',
    );
    await this.#metadata.deletePieces(task.taskId, bad);
  }

  /** A task that was complete and has lost pieces is a partial one again. */
  async #reopen(task: StoredTask): Promise<StoredTask> {
    const record: TaskRecord = { ...task.record, finishedAtMs: undefined, mark: undefined };
    await this.#metadata.putTask(record, { sync: true });
    const partial = this.#makeTask(record);
    partial.restore(task.pieces());
    return partial;
  }
}

/** Opens, or after damage repairs; what can't be repaired is moved aside: content is a cache, a daemon that starts is worth more. */
async function openMetadata(directory: string, logger: Logger): Promise<LevelMetadataStore> {
  const attempts: (() => Promise<void>)[] = [
    () => Promise.resolve(),
    () => LevelMetadataStore.repair(directory),
    () => rename(directory, `${directory}.damaged-${Date.now()}`),
  ];
  let failure: unknown;
  for (const prepare of attempts) {
    try {
      await prepare();
      return await LevelMetadataStore.open(directory);
    } catch (error) {
      if (error instanceof DfpeerError && error.code === 'DFP_STORE_LOCKED') throw error;
      failure = error;
      logger.warn({ directory, err: error }, 'the metadata could not be opened; repairing, then starting afresh');
    }
  }
  throw failure;
}
