import { toDfpeerError, type DfpeerError, OriginError } from '../../core/errors.js';
import type { StoredPiece } from '../../core/piece.js';
import { Wakeup } from '../../core/wakeup.js';
import type { SchedulerClient } from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import { backToSourceDisabled } from './back-to-source.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import type { DownloadStory } from './download-story.js';
import type { NamedWaits } from './named-waits.js';
import type { OriginPieces } from './origin-pieces.js';
import { ParentFetches } from './parent-fetches.js';
import type { ParentLink } from './parent-link.js';
import { ParentSwarm } from './parent-swarm.js';
import type { PieceBoard } from './piece-board.js';
import { makeRegistration, type Schedule, type Scheduling } from './scheduling.js';
import type { StallWatch } from './stall-watch.js';
import { RequestWindow } from '../request-window.js';
import type { Wanted } from './wanted.js';

/** Pieces asked of parents at once at least, however crowded the line. */
export const MIN_PARENT_REQUESTS = 4;
/** And of an origin. */
export const MIN_ORIGIN_REQUESTS = 2;

export interface PieceCollectionContext {
  dependencies: DownloadDependencies;
  request: DownloadRequest;
  task: StoredTask;
  wanted: Wanted;
  peerId: string;
  board: PieceBoard;
  originPieces: OriginPieces;
  scheduling: Scheduling;
  waits: NamedWaits;
  stall: StallWatch;
  /** The content has changed lately: parents must tell which state of it they have. */
  demandsVersion: boolean;
  story: DownloadStory;
  signal: AbortSignal;
  /** Ends the attempt: `signal` aborts with the first reason. */
  fail: (reason: DfpeerError) => void;
  /** Records a verified piece. */
  store: (piece: StoredPiece) => Promise<void>;
}

/** Collects the wanted pieces of a task of known length: from the scheduler's parents while they give, then from the origin. */
export class PieceCollection {
  readonly #context: PieceCollectionContext;
  readonly #swarm: ParentSwarm;
  readonly #parentFetches: ParentFetches;
  readonly #wakeup = new Wakeup();
  readonly #fetches = new Set<Promise<void>>();
  readonly #parentWindow: RequestWindow;
  readonly #originWindow: RequestWindow;
  /** Where missing pieces come from at the moment. */
  #source: 'parents' | 'origin' = 'parents';
  #isOver = false;

  constructor(context: PieceCollectionContext) {
    const { dependencies, board, task, peerId, demandsVersion, stall, signal, scheduling } = context;
    const onChange = (): void => this.#wakeup.notify();
    this.#context = context;
    const max = dependencies.settings.concurrentPieceCount;
    this.#parentWindow = new RequestWindow({ min: MIN_PARENT_REQUESTS, max });
    this.#originWindow = new RequestWindow({ min: MIN_ORIGIN_REQUESTS, max });
    this.#swarm = new ParentSwarm({
      ...{ dependencies, board, task, peerId, demandsVersion, onChange },
      onBytes: () => {
        stall.moved();
        context.story.moved();
      },
    });
    this.#parentFetches = new ParentFetches({
      ...{ dependencies, swarm: this.#swarm, board, task, signal },
      session: () => scheduling.session,
    });
  }

  get source(): 'parents' | 'origin' {
    return this.#source;
  }

  /** More is wanted. False when it is too late: all is there that was wanted, or nothing more will be. */
  wantMore(): boolean {
    if (this.#isOver) return false;
    this.#swarm.ask(this.#want());
    this.#wakeup.notify();
    return true;
  }

  /** Looks again at what can be done. */
  wake(): void {
    this.#wakeup.notify();
  }

  /** Whom pieces are awaited from, for people. */
  waitingFor(): string[] {
    const names = this.#parentFetches.describe();
    const { links } = this.#swarm;
    if (names.length === 0 && links.length > 0 && this.#source === 'parents')
      names.push(`an offer of ${this.#context.board.missingCount} pieces from ${links.map(({ id }) => id).join(', ')}`);
    return names;
  }

  /** Resolves once everything wanted is stored. @throws the reason for which the attempt ended before, once nothing writes any more */
  async run(): Promise<void> {
    const { board, signal, task, stall } = this.#context;
    this.#want();
    try {
      if (!board.finished) await this.#schedule();
      stall.moved();
      while (!board.finished && !signal.aborted) {
        this.#fill();
        if (board.inFlightCount === 0 && (await this.#unblock())) continue;
        await this.#wakeup.wait();
      }
    } finally {
      this.#isOver = true;
      this.#swarm.close();
      await Promise.all(this.#fetches);
    }
    // A client that has all it wanted may go before we do.
    if (signal.aborted && (!board.finished || task.removed)) throw toDfpeerError(signal.reason, 'DFP_ABORTED');
  }

  #want(): number[] {
    const { task, wanted, board } = this.#context;
    const slices = task.layout === undefined ? [] : wanted.slices(task.layout);
    return slices
      .map(({ number }) => number)
      .filter((number) => task.piece(number) === undefined && board.want(number));
  }

  /** Asks the scheduler for parents, unless the task is better off without. */
  async #schedule(): Promise<void> {
    const { dependencies, task, wanted } = this.#context;
    const { scheduler, settings } = dependencies;
    if (scheduler === undefined) return this.#goToOrigin('there is no scheduler');
    const isSmall = (task.layout?.contentLength ?? 0) <= settings.smallTaskBytes;
    if (isSmall && wanted.mayUseOrigin) return this.#goToOrigin('the task is small');
    await this.#register(scheduler);
  }

  async #register(scheduler: SchedulerClient): Promise<void> {
    const { request, task, wanted, peerId, scheduling, waits, dependencies } = this.#context;
    const registration = makeRegistration(request, task, {
      peerId,
      range: wanted.firstRange(task.layout?.contentLength ?? 0),
      disableBackToSource: !wanted.mayUseOrigin,
      settings: dependencies.settings,
    });
    this.#follow(await waits.during('the scheduler', () => scheduling.register(scheduler, registration)));
    scheduling.session?.failed.addEventListener('abort', () => this.wake(), { once: true });
  }

  #follow(schedule: Schedule): void {
    const { stall, scheduling, story } = this.#context;
    stall.moved();
    if (schedule.kind === 'origin') return this.#goToOrigin(schedule.reason);
    story.parents(schedule.parents);
    scheduling.session?.started();
    this.#swarm.add(schedule.parents);
    this.#source = 'parents';
  }

  #goToOrigin(reason: string): void {
    const { wanted, fail, story, scheduling } = this.#context;
    if (!wanted.mayUseOrigin) return fail(backToSourceDisabled(reason));
    story.origin(reason);
    this.#source = 'origin';
    scheduling.session?.backToSourceStarted(reason);
  }

  #fill(): void {
    const { board } = this.#context;
    for (;;) {
      const fromParent = board.inFlightCount < this.#parentWindow.size ? this.#swarm.choose() : undefined;
      const mayAskOrigin = this.#source === 'origin' && board.inFlightCount < this.#originWindow.size;
      const number = fromParent?.number ?? (mayAskOrigin ? board.chooseInOrder() : undefined);
      if (number === undefined) break;
      this.#start(number, fromParent?.link);
    }
    this.#parentFetches.hedge();
  }

  #start(number: number, link: ParentLink | undefined): void {
    const { board, fail } = this.#context;
    board.start(number);
    const work = link === undefined ? this.#fetchFromOrigin(number) : this.#fetchFromParent(number, link);
    const settled = work
      .catch((thrown: unknown) => fail(toDfpeerError(thrown)))
      .finally(() => {
        board.putBack(number);
        this.#fetches.delete(settled);
        this.#wakeup.notify();
      });
    this.#fetches.add(settled);
  }

  async #fetchFromParent(number: number, link: ParentLink): Promise<void> {
    const piece = await this.#parentFetches.fetch(number, link);
    if (piece === undefined) return;
    this.#parentWindow.finished(piece.parentId ?? link.id, piece.length, piece.costMs);
    await this.#context.store(piece);
    this.#context.scheduling.session?.pieceFinished(piece);
  }

  async #fetchFromOrigin(number: number): Promise<void> {
    const { originPieces, task, signal, dependencies, scheduling } = this.#context;
    try {
      await originPieces.fetch(number);
      const piece = task.piece(number);
      if (piece !== undefined) this.#originWindow.finished('origin', piece.length, piece.costMs);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toDfpeerError(thrown, 'DFP_ORIGIN_UNREACHABLE');
      if (error.kind === 'disk') throw error;
      dependencies.observer.pieceFailed('origin', error.code);
      const answer = error instanceof OriginError ? { status: error.status, headers: error.headers } : {};
      scheduling.session?.pieceFromSourceFailed({ pieceNumber: number, message: error.message, ...answer });
      throw error;
    }
  }

  /** Nothing is under way and pieces are missing: finds out why, and who else could give them. True when something changed. */
  async #unblock(): Promise<boolean> {
    const { board, task, stall, dependencies, scheduling, waits } = this.#context;
    if (this.#source === 'origin') return board.missingCount > 0 && this.#fetches.size === 0;
    this.#swarm.pruneExhausted();
    const idleMs = stall.stillMs;
    if (this.#swarm.alive && idleMs < dependencies.settings.collectedPieceTimeoutMs) return false;
    if (this.#swarm.alive)
      this.#swarm.giveUpAll(`no piece of task ${task.taskId} was offered for ${Math.round(idleMs / 1000)} s`);
    this.#follow(await waits.during('the scheduler', () => scheduling.reschedule(this.#swarm.takeFailed())));
    return true;
  }
}
