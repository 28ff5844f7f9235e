import { AbortedError, toDfpeerError, type DfpeerError } from '../../core/errors.js';
import type { ByteRange } from '../../core/piece.js';
import type { TaskId } from '../../core/task-id.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import { DownloadAttempt, type Wanted } from './download-attempt.js';
import type { DownloadRequest } from './download-request.js';

/** A content that changes faster than we can read it is the origin's problem. */
export const MAX_RESTARTS = 2;

/** The download of one task on this host, whoever wants it: an attempt, and another one when the origin's content changed under it. */
export class TaskDownload {
  readonly taskId: TaskId;
  readonly #dependencies: DownloadDependencies;
  readonly #request: DownloadRequest;
  readonly #wanted: Wanted = { all: false, ranges: [] };
  readonly #onTask: (task: StoredTask) => void;
  #ownBudget: { close(): void } | undefined;
  #attempt: DownloadAttempt;
  #aborted: DfpeerError | undefined;
  /** One attempt is over, the next has not begun. */
  #isRestarting = false;

  /** `onTask` hears of the task as soon as it is open, and again when a changed origin made it start anew. */
  constructor(dependencies: DownloadDependencies, request: DownloadRequest, onTask: (task: StoredTask) => void) {
    this.taskId = request.taskId;
    this.#dependencies = this.#withOwnLimit(dependencies, request);
    this.#request = request;
    this.#onTask = onTask;
    this.#add(request.range);
    this.#attempt = this.#newAttempt();
  }

  /** Of the attempt under way: a scheduler takes each id once. */
  get peerId(): string {
    return this.#attempt.peerId;
  }

  /** Adds to what is wanted; undefined wants everything. False when it is too late: the download is about to end without it. */
  want(range: ((contentLength: number) => ByteRange) | undefined): boolean {
    this.#add(range);
    return this.#isRestarting || this.#attempt.wantMore();
  }

  /** Stops; `run` rejects with the reason once nothing writes any more. */
  abort(reason: DfpeerError = new AbortedError(`the download of task ${this.taskId}`)): void {
    this.#aborted = reason;
    this.#attempt.abort(reason);
  }

  /** Resolves with the task once everything wanted is stored and verified. */
  async run(): Promise<StoredTask> {
    try {
      return await this.#runAttempts();
    } finally {
      this.#ownBudget?.close();
    }
  }

  async #runAttempts(): Promise<StoredTask> {
    for (let restarts = 0; ; restarts++) {
      try {
        return await this.#attempt.run();
      } catch (thrown) {
        const error = toDfpeerError(thrown);
        if (error.code !== 'DFP_ORIGIN_CHANGED') throw error;
        if (restarts === MAX_RESTARTS || this.#aborted !== undefined) {
          await this.#dependencies.store.remove(this.taskId);
          throw error;
        }
        this.#dependencies.logger.warn(
          { code: error.code },
          `the origin's content changed, the task starts anew: ${error.message}`,
        );
        await this.#restart();
      }
    }
  }

  async #restart(): Promise<void> {
    this.#isRestarting = true;
    try {
      await this.#dependencies.store.remove(this.taskId);
      if (this.#aborted !== undefined) throw this.#aborted;
      this.#attempt = this.#newAttempt(true);
    } finally {
      this.#isRestarting = false;
    }
  }

  #newAttempt(afterChange = false): DownloadAttempt {
    return new DownloadAttempt(this.#dependencies, this.#request, {
      wanted: this.#wanted,
      afterChange,
      onTask: this.#onTask,
    });
  }

  #add(range: ((contentLength: number) => ByteRange) | undefined): void {
    if (range === undefined) this.#wanted.all = true;
    else this.#wanted.ranges.push(range);
  }

  /** dfget's --ratelimit is one more budget that every byte spends. */
  #withOwnLimit(
    dependencies: DownloadDependencies,
    { taskId, rateLimitBytesPerSecond }: DownloadRequest,
  ): DownloadDependencies {
    const logger = dependencies.logger.child({ taskId });
    if (rateLimitBytesPerSecond === undefined) return { ...dependencies, logger };
    const own = dependencies.createBudget(rateLimitBytesPerSecond);
    this.#ownBudget = own;
    return { ...dependencies, logger, downloadBudgets: () => [...dependencies.downloadBudgets(), own] };
  }
}
