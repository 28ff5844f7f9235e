import { DfpeerError, OriginError, toDfpeerError } from '../../core/errors.js';
import { TrafficType, type ByteRange, type StoredPiece } from '../../core/piece.js';
import { Wakeup } from '../../core/wakeup.js';
import type { FetchedPiece, OriginContent } from '../fetch/piece-fetcher.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import { OriginSource } from './origin-source.js';
import { openTask } from './open-task.js';
import { ParentSwarm } from './parent-swarm.js';
import { PieceBoard } from './piece-board.js';
import { makeRegistration, Scheduling, type Schedule } from './scheduling.js';

/** Where missing pieces come from at the moment. */
type Source = { kind: 'parents' } | { kind: 'origin'; reason: string };

/** What is wanted of a task; it may grow while an attempt runs. */
export interface Wanted {
  all: boolean;
  ranges: ((contentLength: number) => ByteRange)[];
}

/**
 * One attempt at a task, under one peer id: local pieces, then the scheduler's parents, then the origin. One failing parent costs an
 * attempt at a piece; an unreachable scheduler costs nothing but its parents. Ends with the wanted pieces stored, or with the coded
 * reason why they can't be.
 */
export class DownloadAttempt {
  readonly peerId: string;
  readonly #dependencies: DownloadDependencies;
  readonly #request: DownloadRequest;
  readonly #wanted: Wanted;
  readonly #controller = new AbortController();
  readonly #board: PieceBoard;
  readonly #wakeup = new Wakeup();
  readonly #origin: OriginSource;
  readonly #scheduling: Scheduling;
  readonly #fetches = new Set<Promise<void>>();
  readonly #onTask: (task: StoredTask) => void;
  #task: StoredTask | undefined;
  #content: OriginContent | undefined;
  #swarm: ParentSwarm | undefined;
  #source: Source = { kind: 'parents' };
  #fatal: DfpeerError | undefined;
  #lastProgressMs = 0;
  #isOver = false;

  /** `onTask` hears of the task as soon as it is open. */
  constructor(
    dependencies: DownloadDependencies,
    request: DownloadRequest,
    wanted: Wanted,
    onTask: (task: StoredTask) => void,
  ) {
    this.peerId = dependencies.host.newPeerId();
    this.#dependencies = { ...dependencies, logger: dependencies.logger.child({ peerId: this.peerId }) };
    this.#request = request;
    this.#wanted = wanted;
    this.#onTask = onTask;
    this.#board = new PieceBoard(dependencies.random);
    this.#origin = new OriginSource(this.#dependencies, request, this.#controller.signal);
    this.#scheduling = new Scheduling(this.#dependencies, this.#controller.signal);
  }

  /** More is wanted. False when it is too late: the attempt has all it wanted, and ends. */
  wantMore(): boolean {
    if (this.#isOver) return false;
    if (this.#task !== undefined) this.#wantPieces(this.#task);
    this.#wakeup.notify();
    return true;
  }

  /** Stops; `run` rejects with the reason once nothing writes any more. */
  abort(reason: DfpeerError): void {
    this.#controller.abort(reason);
    this.#wakeup.notify();
  }

  async run(): Promise<StoredTask> {
    const { task, content } = await openTask(this.#dependencies, this.#request, this.#origin, this.#controller.signal);
    this.#content = content;
    if (task.complete) return this.#announce(task);
    await task.beginDownload();
    let failure: DfpeerError | undefined;
    try {
      this.#announce(task);
      if (content !== undefined && task.layout === undefined) await this.#stream(task, content);
      else await this.#collect(task);
      if (task.pieceCount === task.layout?.count) this.#dependencies.inBackground(task.finish());
      return task;
    } catch (thrown) {
      failure = toDfpeerError(thrown);
      throw failure;
    } finally {
      this.#isOver = true;
      task.endDownload(failure);
      // Whoever waits for the bytes need not wait for the scheduler's goodbye.
      this.#dependencies.inBackground(
        this.#scheduling.close(this.#source.kind === 'origin' ? 'source' : 'parents', failure),
      );
    }
  }

  #announce(task: StoredTask): StoredTask {
    this.#task = task;
    this.#wantPieces(task);
    this.#onTask(task);
    return task;
  }

  #wantPieces(task: StoredTask): void {
    const { layout } = task;
    if (layout === undefined) return;
    const slices = this.#wanted.all
      ? layout.all()
      : this.#wanted.ranges.flatMap((range) => layout.covering(range(layout.contentLength)));
    for (const { number } of slices) if (task.piece(number) === undefined) this.#board.want(number);
  }

  // --- one sequential stream, for origins without ranges or without a length

  async #stream(task: StoredTask, content: OriginContent): Promise<void> {
    if (this.#request.disableBackToSource)
      throw backToSourceDisabled('the origin gives no length, so no peer can have the task');
    const contentLength = await this.#origin.stream(content, task.path, task.record.pieceLength, (piece) =>
      this.#storeFromSource(task, piece),
    );
    if (task.layout === undefined) await task.setContentLength(contentLength);
  }

  async #storeFromSource(task: StoredTask, fetched: FetchedPiece): Promise<void> {
    const known = task.piece(fetched.slice.number);
    if (known !== undefined && known.digest !== fetched.digest)
      throw new OriginError('DFP_ORIGIN_CHANGED', `piece ${known.number} of ${this.#request.url} is not what it was`);
    if (task.layout === undefined && fetched.slice.length < task.record.pieceLength)
      await task.setContentLength(fetched.slice.offset + fetched.slice.length);
    const piece = {
      ...fetched.slice,
      digest: fetched.digest,
      trafficType: TrafficType.BACK_TO_SOURCE,
      costMs: fetched.costMs,
      createdAtMs: this.#dependencies.clock.now(),
    };
    await this.#stored(task, piece);
    this.#scheduling.session?.pieceFromSourceFinished(piece);
  }

  // --- piece by piece, from parents or the origin

  async #collect(task: StoredTask): Promise<void> {
    if (this.#board.finished) return;
    await this.#schedule(task);
    this.#lastProgressMs = this.#dependencies.clock.monotonicMs();
    const cancelTick = this.#tickWhileWaiting();
    try {
      while (!this.#board.finished && this.#fatal === undefined && !this.#controller.signal.aborted) {
        this.#fill(task);
        if (this.#board.inFlightCount === 0 && (await this.#unblock(task))) continue;
        await this.#wakeup.wait();
      }
    } finally {
      this.#isOver = true;
      cancelTick();
      this.#swarm?.close();
      if (this.#fatal !== undefined) this.#controller.abort(this.#fatal);
      await Promise.all(this.#fetches);
    }
    if (this.#fatal !== undefined) throw this.#fatal;
    if (this.#controller.signal.aborted) throw toDfpeerError(this.#controller.signal.reason, 'DFP_ABORTED');
  }

  /** Asks the scheduler for parents, unless the task is better off without. */
  async #schedule(task: StoredTask): Promise<void> {
    const { scheduler, settings } = this.#dependencies;
    const onChange = (): void => this.#wakeup.notify();
    this.#swarm = new ParentSwarm({
      dependencies: this.#dependencies,
      board: this.#board,
      task,
      peerId: this.peerId,
      signal: this.#controller.signal,
      onChange,
    });
    if (scheduler === undefined) return this.#goToOrigin('there is no scheduler');
    const isSmall = (task.layout?.contentLength ?? 0) <= settings.smallTaskBytes;
    if (isSmall && !this.#request.disableBackToSource) return this.#goToOrigin('the task is small');
    const range = this.#wanted.all ? undefined : this.#wanted.ranges[0]?.(task.layout?.contentLength ?? 0);
    this.#follow(
      await this.#scheduling.register(
        scheduler,
        makeRegistration(this.#request, task, { peerId: this.peerId, range, settings }),
      ),
    );
    this.#scheduling.session?.failed.addEventListener('abort', onChange, { once: true });
  }

  #follow(schedule: Schedule): void {
    this.#lastProgressMs = this.#dependencies.clock.monotonicMs();
    if (schedule.kind === 'origin') return this.#goToOrigin(schedule.reason);
    this.#scheduling.session?.started();
    this.#swarm?.add(schedule.parents);
    this.#source = { kind: 'parents' };
  }

  #goToOrigin(reason: string): void {
    if (this.#request.disableBackToSource) {
      this.#fatal = backToSourceDisabled(reason);
      return;
    }
    this.#dependencies.logger.info({ reason }, 'fetching from the origin');
    this.#source = { kind: 'origin', reason };
    this.#scheduling.session?.backToSourceStarted(reason);
  }

  #fill(task: StoredTask): void {
    const { concurrentPieceCount } = this.#dependencies.settings;
    while (this.#board.inFlightCount < concurrentPieceCount) {
      const fromParent = this.#swarm?.choose();
      const number = fromParent?.number ?? (this.#source.kind === 'origin' ? this.#board.chooseInOrder() : undefined);
      if (number === undefined) return;
      this.#board.start(number);
      const work =
        fromParent === undefined
          ? this.#fetchFromOrigin(task, number)
          : this.#fetchFromParent(task, fromParent.link, number);
      const settled = work
        .catch((thrown: unknown) => {
          this.#fatal ??= toDfpeerError(thrown);
        })
        .finally(() => {
          this.#board.putBack(number);
          this.#fetches.delete(settled);
          this.#wakeup.notify();
        });
      this.#fetches.add(settled);
    }
  }

  async #fetchFromParent(task: StoredTask, link: Parameters<ParentSwarm['fetch']>[0], number: number): Promise<void> {
    const piece = await this.#swarm?.fetch(link, number, this.#scheduling.session);
    if (piece === undefined) return;
    await this.#stored(task, piece);
    this.#scheduling.session?.pieceFinished(piece);
  }

  async #fetchFromOrigin(task: StoredTask, number: number): Promise<void> {
    const slice = task.slice(number);
    if (slice === undefined) throw new DfpeerError('DFP_INTERNAL', `task ${task.taskId} has no piece ${number}`);
    try {
      this.#content ??= await this.#origin.stat();
      if (!this.#content.supportsRange) return await this.#streamInstead(task, this.#content);
      await this.#storeFromSource(task, await this.#origin.fetchPiece(this.#content, task.path, slice));
    } catch (thrown) {
      if (this.#controller.signal.aborted) return;
      const error = toDfpeerError(thrown, 'DFP_ORIGIN_UNREACHABLE');
      this.#dependencies.observer.pieceFailed('origin', error.code);
      const answer = error instanceof OriginError ? { status: error.status, headers: error.headers } : {};
      this.#scheduling.session?.pieceFromSourceFailed({ pieceNumber: number, message: error.message, ...answer });
      throw error;
    }
  }

  /** The origin ignores Range: everything that is missing comes in one stream, and nothing else is asked of it meanwhile. */
  async #streamInstead(task: StoredTask, content: OriginContent): Promise<void> {
    for (const number of this.#board.missing()) this.#board.start(number);
    await this.#origin.stream(content, task.path, task.record.pieceLength, (piece) =>
      this.#storeFromSource(task, piece),
    );
  }

  async #stored(task: StoredTask, piece: StoredPiece): Promise<void> {
    await task.addPiece(piece);
    this.#board.done(piece.number);
    this.#lastProgressMs = this.#dependencies.clock.monotonicMs();
    this.#dependencies.observer.pieceStored(piece.trafficType, piece.length, piece.parentId ?? 'origin');
    this.#wakeup.notify();
  }

  /** Nothing is under way and pieces are missing: finds out why, and who else could give them. True when something changed. */
  async #unblock(task: StoredTask): Promise<boolean> {
    const swarm = this.#swarm;
    if (swarm === undefined || this.#source.kind === 'origin')
      return this.#source.kind === 'origin' && this.#board.missingCount > 0 && this.#fetches.size === 0;
    swarm.pruneExhausted();
    const { collectedPieceTimeoutMs } = this.#dependencies.settings;
    const idleMs = this.#dependencies.clock.monotonicMs() - this.#lastProgressMs;
    if (swarm.alive && idleMs < collectedPieceTimeoutMs) return false;
    if (swarm.alive) swarm.giveUpAll(`no piece of task ${task.taskId} was offered for ${Math.round(idleMs / 1000)} s`);
    this.#follow(await this.#scheduling.reschedule(swarm.takeFailed()));
    return true;
  }

  /** The loop must also notice that nothing happens. */
  #tickWhileWaiting(): () => void {
    const { clock, settings } = this.#dependencies;
    const intervalMs = Math.max(50, Math.min(1000, settings.collectedPieceTimeoutMs / 4));
    let cancel: () => void;
    const tick = (): void => {
      this.#wakeup.notify();
      cancel = clock.after(intervalMs, tick, { unref: true });
    };
    cancel = clock.after(intervalMs, tick, { unref: true });
    return () => cancel();
  }
}

function backToSourceDisabled(reason: string): DfpeerError {
  return new DfpeerError(
    'DFP_BACK_TO_SOURCE_DISABLED',
    `the task is not to be fetched from the origin, but ${reason}; try again when a peer has it, or allow back-to-source`,
  );
}
