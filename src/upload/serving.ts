import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../core/clock.js';
import { withDeadline } from '../core/deadline.js';
import { AbortedError, DfpeerError } from '../core/errors.js';
import type { ByteRange } from '../core/piece.js';
import { type TaskId, isTaskId } from '../core/task-id.js';
import type { Admission } from './admission.js';
import type { PieceSource, ServedTask } from './piece-source.js';
import type { RouteChoice } from './route.js';
import type { UploadOutcome, UploadSpec } from './transfer/upload.js';
import type { Uploads } from './transfer/uploads.js';
import { UnderWay } from './under-way.js';

/** How long a request waits for bytes that are being downloaded here. */
export const DEFAULT_AVAILABILITY_TIMEOUT_MS = 30_000;
/** How many requests wait for such bytes at once. */
export const DEFAULT_MAX_WAITING_FOR_PIECE = 2000;

export interface ServingOptions {
  source: PieceSource;
  uploads: Uploads;
  admission: Admission;
  availabilityTimeoutMs?: number;
  maxWaitingForPiece?: number;
  clock?: Clock;
}

/** What both piece servers do alike: find the task, wait for the bytes, wait for a slot, send. */
export class Serving {
  readonly #options: ServingOptions;
  readonly #clock: Clock;
  readonly #availabilityTimeoutMs: number;
  readonly #maxWaiting: number;
  readonly #underWay: UnderWay;
  readonly #waits = new Set<AbortController>();
  #waiting = 0;
  #draining = false;

  constructor(options: ServingOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#availabilityTimeoutMs = options.availabilityTimeoutMs ?? DEFAULT_AVAILABILITY_TIMEOUT_MS;
    this.#maxWaiting = options.maxWaitingForPiece ?? DEFAULT_MAX_WAITING_FOR_PIECE;
    this.#underWay = new UnderWay(this.#clock);
  }

  /** Requests waiting for bytes still being downloaded. */
  get waitingForPiece(): number {
    return this.#waiting;
  }

  /** From now on every new request is refused with DFP_SHUTTING_DOWN, and so is each that waits for anything now. */
  drain(): void {
    this.#draining = true;
    for (const wait of this.#waits) wait.abort(shuttingDown());
  }

  /** Runs what answers a request: until then there is something to wait for at a shutdown. */
  answering<T>(answer: () => Promise<T>): Promise<T> {
    return this.#underWay.during(answer);
  }

  /** Resolves true when no request is being answered any more, false after `timeoutMs`. */
  whenIdle(timeoutMs: number): Promise<boolean> {
    return this.#underWay.whenIdle(timeoutMs);
  }

  /** As {@link open}, but undefined where that throws. */
  tryOpen(taskId: TaskId): ServedTask | undefined {
    if (this.#draining) return undefined;
    try {
      return this.#options.source.open(taskId);
    } catch {
      return undefined;
    }
  }

  /** The pinned task, to be released exactly once. @throws DFP_TASK_NOT_FOUND, DFP_STORE_IO, DFP_SHUTTING_DOWN */
  open(taskId: string): ServedTask {
    if (this.#draining) throw shuttingDown();
    const task = isTaskId(taskId) ? this.#options.source.open(taskId) : undefined;
    if (task === undefined)
      throw new DfpeerError('DFP_TASK_NOT_FOUND', `task ${taskId.slice(0, 80)} is not stored here`);
    return task;
  }

  /**
   * Resolves once every byte of the range is stored and verified.
   * @throws DFP_PIECE_NOT_FOUND when nobody is downloading it, DFP_DEADLINE, DFP_LIMIT, DFP_SHUTTING_DOWN, or why the
   * download failed.
   */
  async available(task: ServedTask, range: ByteRange, socket: Socket): Promise<void> {
    if (task.has(range)) return;
    const what = `bytes ${range.offset}-${range.offset + range.length - 1} of task ${task.taskId}`;
    if (!task.downloading) throw new DfpeerError('DFP_PIECE_NOT_FOUND', `${what} are not stored here`);
    if (this.#waiting >= this.#maxWaiting)
      throw new DfpeerError('DFP_LIMIT', `${this.#waiting} requests already wait for pieces; try again later`);
    this.#waiting++;
    const wait = this.#beginWait(socket);
    try {
      const timeoutMs = this.#availabilityTimeoutMs;
      await withDeadline({ waitingFor: what, timeoutMs, signal: wait.signal, clock: this.#clock }, (signal) =>
        task.whenAvailable(range, signal),
      );
    } finally {
      wait.end();
      this.#waiting--;
    }
  }

  /** How an upload to this socket would set off now; limits may change it under way. */
  routeFor(socket: Socket): RouteChoice {
    return this.#options.uploads.choose(socket, undefined);
  }

  /** Waits for a slot, then sends what `prepare` makes. @throws DFP_LIMIT, DFP_SHUTTING_DOWN, or what `prepare` throws. */
  async send(childIp: string, socket: Socket, prepare: () => UploadSpec): Promise<UploadOutcome> {
    const { admission } = this.#options;
    if (!admission.tryEnter(childIp)) {
      const wait = this.#beginWait(socket);
      await admission.enter(childIp, wait.signal).finally(wait.end);
    }
    return this.#sendAdmitted(childIp, prepare);
  }

  /** Sends at once, or returns undefined when there is no free slot. Rejects with what `prepare` throws. */
  trySend(childIp: string, prepare: () => UploadSpec): Promise<UploadOutcome> | undefined {
    if (!this.#options.admission.tryEnter(childIp)) return undefined;
    return this.answering(() => this.#sendAdmitted(childIp, prepare));
  }

  /** The signal aborts when the socket closes, and when this peer shuts down. */
  #beginWait(socket: Socket): { signal: AbortSignal; end: () => void } {
    const controller = new AbortController();
    const onClose = (): void => controller.abort(new AbortedError('a request whose client is gone'));
    if (socket.destroyed) onClose();
    if (this.#draining) controller.abort(shuttingDown());
    socket.once('close', onClose);
    this.#waits.add(controller);
    const end = (): void => {
      socket.off('close', onClose);
      this.#waits.delete(controller);
    };
    return { signal: controller.signal, end };
  }

  async #sendAdmitted(childIp: string, prepare: () => UploadSpec): Promise<UploadOutcome> {
    try {
      return await this.#options.uploads.send(prepare());
    } finally {
      this.#options.admission.leave(childIp);
    }
  }
}

function shuttingDown(): DfpeerError {
  return new DfpeerError('DFP_SHUTTING_DOWN', 'this peer is shutting down; ask another one');
}
