import { AbortedError, toDfpeerError, type DfpeerError } from '../../core/errors.js';
import { redactUrl } from '../../core/redact.js';
import type { TaskId } from '../../core/task-id.js';
import type { Span, Tracer } from '../../core/tracing.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import { withBudget } from './download-budgets.js';
import { DownloadAttempt } from './download-attempt.js';
import type { DownloadRequest } from './download-request.js';
import type { DownloadFacts } from './download-story.js';
import { NamedWaits } from './named-waits.js';
import { StallWatch } from './stall-watch.js';
import { Wanted } from './wanted.js';

/** The last time all of it comes in one answer; a content that is not even of one length then is the origin's problem. */
export const MAX_RESTARTS = 2;

/** Of an unknown length, or of a task that could not even be begun. */
const ASSUMED_MISSING_BYTES = 64 * 1024 * 1024;

/**
 * The download of one task on this host, whoever wants it: an attempt, and another one when the origin's content changed under it, or when
 * older tasks had to make room on the disk first.
 */
export class TaskDownload {
  readonly taskId: TaskId;
  readonly #dependencies: DownloadDependencies;
  readonly #request: DownloadRequest;
  readonly #wanted = new Wanted();
  readonly #onTask: (task: StoredTask) => void;
  readonly #span: Span;
  readonly #waits: NamedWaits;
  readonly #stall: StallWatch;
  #ownBudget: { close(): void } | undefined;
  #attempt: DownloadAttempt;
  #task: StoredTask | undefined;
  #aborted: DfpeerError | undefined;
  /** One attempt is over, the next has not begun. */
  #isRestarting = false;
  /** How often the origin's content changed. */
  #changes = 0;
  /** What was stored when the disk was full for the last time. */
  #storedAtFull = -1;

  /** `onTask` hears of the task as soon as it is open, and again when a changed origin made it start anew. */
  constructor(dependencies: DownloadDependencies, request: DownloadRequest, onTask: (task: StoredTask) => void) {
    this.taskId = request.taskId;
    this.#span = beginSpan(dependencies.tracer, request);
    this.#dependencies = this.#withOwnLimit({ ...dependencies, tracer: this.#span }, request);
    this.#request = request;
    this.#onTask = onTask;
    const { clock, logger } = this.#dependencies;
    this.#waits = new NamedWaits(clock);
    this.#stall = new StallWatch(clock, logger);
    this.#wanted.add(request);
    this.#attempt = this.#newAttempt();
  }

  /** Of the attempt under way: a scheduler takes each id once. */
  get peerId(): string {
    return this.#attempt.peerId;
  }

  /** Of the attempt under way, or of the last one. */
  get facts(): Readonly<DownloadFacts> {
    return this.#attempt.facts;
  }

  /** Adds to what is wanted. False when it is too late: the download is about to end without it. */
  want(request: DownloadRequest): boolean {
    this.#wanted.add(request);
    return this.#isRestarting || this.#attempt.wantMore();
  }

  /** Stops; `run` rejects with the reason once nothing writes any more. */
  abort(reason: DfpeerError = new AbortedError(`the download of task ${this.taskId}`)): void {
    this.#aborted = reason;
    this.#attempt.abort(reason);
  }

  /** Resolves with the task once everything wanted is stored and verified. */
  async run(): Promise<StoredTask> {
    const { collectedPieceTimeoutMs } = this.#dependencies.settings;
    this.#stall.moved();
    const stopWatching = this.#stall.start(Math.max(50, Math.min(1000, collectedPieceTimeoutMs / 4)), {
      describe: () => [...this.#waits.names(), ...this.#attempt.waitingFor()],
      onTick: () => this.#attempt.wake(),
    });
    try {
      const task = await this.#runAttempts();
      this.#span.set({ 'task.size': task.layout?.contentLength, 'task.pieces': task.layout?.count });
      this.#span.end();
      return task;
    } catch (error) {
      this.#span.end(error);
      throw error;
    } finally {
      stopWatching();
      this.#ownBudget?.close();
    }
  }

  async #runAttempts(): Promise<StoredTask> {
    for (;;) {
      try {
        return await this.#attempt.run();
      } catch (thrown) {
        const error = toDfpeerError(thrown);
        if (error.code === 'DFP_STORE_FULL') await this.#restart(() => this.#makeRoom(error));
        else if (error.code === 'DFP_ORIGIN_CHANGED') await this.#restart(() => this.#startAnew(error));
        else throw error;
      }
    }
  }

  /** Whoever wants more meanwhile gets it from the next attempt. */
  async #restart(prepare: () => Promise<void>): Promise<void> {
    this.#isRestarting = true;
    try {
      await prepare();
      if (this.#aborted !== undefined) throw this.#aborted;
      this.#attempt = this.#newAttempt();
    } finally {
      this.#isRestarting = false;
    }
  }

  async #startAnew(error: DfpeerError): Promise<void> {
    await this.#remove();
    if (this.#changes === MAX_RESTARTS || this.#aborted !== undefined) throw error;
    this.#changes++;
    this.#dependencies.logger.warn(
      { code: error.code },
      `the origin's content changed, the task starts anew: ${error.message}`,
    );
  }

  /** Each time something more must have been stored, so that this comes to an end. */
  async #makeRoom(error: DfpeerError): Promise<void> {
    const { store, makeRoom, logger } = this.#dependencies;
    const task = store.get(this.taskId);
    const storedBytes = task?.storedBytes ?? 0;
    if (this.#aborted !== undefined || storedBytes <= this.#storedAtFull) throw error;
    this.#storedAtFull = storedBytes;
    const unpin = task?.pin();
    try {
      const missingBytes = missingBytesOf(task);
      if (!(await this.#waits.disk('make room', () => makeRoom(missingBytes)))) throw error;
      logger.info({ missingBytes }, 'the disk was full; older tasks made room, the download goes on');
    } finally {
      unpin?.();
    }
  }

  #newAttempt(): DownloadAttempt {
    return new DownloadAttempt(this.#dependencies, this.#request, {
      wanted: this.#wanted,
      waits: this.#waits,
      stall: this.#stall,
      afterChange: this.#changes > 0,
      inOneAnswer: this.#changes === MAX_RESTARTS,
      begun: this.#task,
      onTask: (task) => {
        this.#task = task;
        this.#onTask(task);
      },
    });
  }

  async #remove(): Promise<void> {
    await this.#waits.disk(`remove task ${this.taskId}`, () => this.#dependencies.store.remove(this.taskId));
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
    return { ...dependencies, logger, budgets: withBudget(dependencies.budgets, own) };
  }
}

/** A task of unknown length begins anew, so that it needs again what it has. */
function missingBytesOf(task: StoredTask | undefined): number {
  if (task?.layout !== undefined) return task.layout.contentLength - task.storedBytes;
  return Math.max(task?.storedBytes ?? 0, ASSUMED_MISSING_BYTES);
}

function beginSpan(tracer: Tracer, { taskId, url, tag, application }: DownloadRequest): Span {
  return tracer.begin('download task', {
    'task.id': taskId,
    'task.tag': tag,
    'task.application': application,
    'url.full': redactUrl(url),
  });
}
