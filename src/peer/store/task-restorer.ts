import { DfpeerError, isOutOfFiles } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { LoadedTask, MetadataStore, TaskRecord } from './metadata.js';
import type { StoredTask } from './stored-task.js';
import { isSameMark, type TaskFiles } from './task-files.js';

export interface TaskRestorerOptions {
  files: TaskFiles;
  metadata: MetadataStore;
  logger: Logger;
  makeTask: (record: TaskRecord) => StoredTask;
  /** Ends checks between two pieces. */
  signal: AbortSignal;
}

/** Makes tasks of what was recorded and what lies on the disk, as far as the two agree. */
export class TaskRestorer {
  readonly #options: TaskRestorerOptions;

  constructor(options: TaskRestorerOptions) {
    this.#options = options;
  }

  /**
   * The task with its good pieces; undefined when nothing of it can be used, or the signal said stop. A file that looks as it did when it
   * was last known good is taken as it is, unless marks prove nothing; any other has each piece checked.
   * @throws DfpeerError when what is damaged could not be moved away: it must not be mistaken for another task's; or when no descriptor was
   * left to look at it
   */
  async restore(loaded: LoadedTask, { trustMark }: { trustMark: boolean }): Promise<StoredTask | undefined> {
    const { record } = loaded;
    // Without a length there is nothing to resume from.
    if (record.contentLength === undefined) return this.#forget(record);
    try {
      return await this.#restore(loaded, record.contentLength, trustMark);
    } catch (error) {
      if (isOutOfFiles(error)) throw error;
      return this.#discard(record, error);
    }
  }

  async #restore(loaded: LoadedTask, contentLength: number, trustMark: boolean): Promise<StoredTask | undefined> {
    const { files, makeTask, logger, signal } = this.#options;
    const { record, pieces } = loaded;
    const mark = await files.mark(record.taskId);
    const untouched = isSameMark(record.mark, mark);
    const isChanged = mark !== undefined && record.mark !== undefined && !untouched;
    if (isChanged && (await files.isShared(record.taskId))) return this.#letGo(record);
    if (mark?.size !== contentLength)
      throw new DfpeerError(
        'DFP_STORE_DAMAGED',
        mark === undefined
          ? 'there is no data file'
          : `its data file has ${mark.size} bytes instead of ${contentLength}`,
      );
    const task = makeTask(record);
    if (trustMark && untouched) task.restore(pieces);
    else await this.#restoreChecked(task, pieces);
    if (signal.aborted) return undefined;
    const isWhole = task.pieceCount === task.layout?.count;
    if (!isWhole && (await files.isShared(record.taskId))) return this.#letGo(record);
    const restored = task.complete && !isWhole ? await this.#reopen(task) : task;
    // Every piece is right, also where the disk is too full to note it: then the next start checks again.
    if (isWhole)
      await this.#recordWhole(restored, untouched).catch((error: unknown) =>
        logger.warn({ taskId: record.taskId, err: error }, 'a complete task could not be recorded as complete'),
      );
    return restored;
  }

  async #recordWhole(task: StoredTask, untouched: boolean): Promise<void> {
    if (task.complete && !untouched) await task.acceptAsIs();
    // Killed between the last piece and the record of completion.
    await task.finish();
  }

  async #restoreChecked(task: StoredTask, pieces: LoadedTask['pieces']): Promise<void> {
    const { files, metadata, logger, signal } = this.#options;
    const bad: number[] = [];
    for (const piece of pieces) {
      if (signal.aborted) return;
      const slice = task.slice(piece.number);
      if (slice !== undefined && (await files.digest(task.taskId, slice)) === piece.digest) task.restore([piece]);
      else bad.push(piece.number);
    }
    if (bad.length === 0) return;
    logger.warn(
      { taskId: task.taskId, pieces: bad.length },
      'stored pieces do not match their digests; they are fetched again when they are wanted',
    );
    await metadata.deletePieces(task.taskId, bad);
  }

  /** A task that was complete and has lost pieces is a partial one again. */
  async #reopen(task: StoredTask): Promise<StoredTask> {
    const { metadata, makeTask } = this.#options;
    const record: TaskRecord = { ...task.record, finishedAtMs: undefined, mark: undefined };
    await metadata.putTask(record, { sync: true });
    const partial = makeTask(record);
    partial.restore(task.pieceRecords());
    return partial;
  }

  /** Whoever has the file under another name has changed it, or would have it written to: it is theirs now. */
  async #letGo(record: TaskRecord): Promise<undefined> {
    this.#options.logger.warn(
      { taskId: record.taskId },
      'the data file of a task is an output too, and was changed; the task is dropped and fetched again when it is wanted',
    );
    return this.#forget(record);
  }

  /** The record goes last: without it nobody would know whose file it was. */
  async #forget({ taskId }: TaskRecord): Promise<undefined> {
    await this.#options.files.remove(taskId);
    await this.#options.metadata.deleteTask(taskId);
  }

  async #discard({ taskId }: TaskRecord, why: unknown): Promise<undefined> {
    const { files, metadata, logger } = this.#options;
    if (await files.quarantine(taskId))
      logger.warn(
        { taskId, err: why },
        'a stored task is damaged; its file goes to quarantine and the task is fetched again when it is wanted',
      );
    // As a kill in the middle of a removal leaves it.
    else logger.info({ taskId }, 'the file of a stored task is gone; the task is fetched again when it is wanted');
    await metadata.deleteTask(taskId);
  }
}
