import { counted } from '../../core/counted.js';
import { toDfpeerError, type DfpeerError, OriginError } from '../../core/errors.js';
import type { StoredPiece } from '../../core/piece.js';
import { Wakeup } from '../../core/wakeup.js';
import { LIFE_PATIENCE_MS, type LifeSign } from '../../scheduler-client/liveness.js';
import type { CandidateParent, SchedulerClient } from '../../scheduler-client/scheduler-client.js';
import type { StoredTask } from '../store/stored-task.js';
import { backToSourceDisabled } from './back-to-source.js';
import type { CollectedPiece } from './carriage.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import type { DownloadStory } from './download-story.js';
import type { NamedWaits } from './named-waits.js';
import type { OriginPieces } from './origin-pieces.js';
import { OriginRace, PARENT_PATIENCE_MS } from './origin-race.js';
import { ParentFetches } from './parent-fetches.js';
import { ENOUGH_PARENTS, ParentSearch } from './parent-search.js';
import { ParentSwarm } from './parent-swarm.js';
import type { PieceBoard } from './piece-board.js';
import { ORIGIN, type PieceGiver } from './piece-races.js';
import { makeRegistration, type QuestionContext, type Schedule, type Scheduling } from './scheduling.js';
import type { StallWatch } from './stall-watch.js';
import { RequestWindow } from '../swarm/request-window.js';
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

/**
 * Collects the wanted pieces of a task of known length: from the scheduler's parents while they give, then from the origin; a few from the
 * origin at once while scheduler or parents are silent.
 */
export class PieceCollection {
  readonly #context: PieceCollectionContext;
  readonly #swarm: ParentSwarm;
  readonly #parentFetches: ParentFetches;
  readonly #wakeup = new Wakeup();
  readonly #fetches = new Set<Promise<void>>();
  readonly #parentWindow: RequestWindow;
  readonly #originWindow: RequestWindow;
  readonly #originRace: OriginRace;
  readonly #search: ParentSearch;
  readonly #over = new AbortController();
  /** Where missing pieces come from at the moment. */
  #source: 'parents' | 'origin' = 'parents';
  /** The scheduler's answer is awaited. */
  #isAsking = false;

  constructor(context: PieceCollectionContext) {
    const { dependencies, board, task, peerId, demandsVersion, stall, signal, scheduling, originPieces } = context;
    const onChange = (): void => this.#wakeup.notify();
    const originRace = new OriginRace(dependencies.clock, onChange);
    this.#originRace = originRace;
    this.#context = context;
    const max = dependencies.settings.concurrentPieceCount;
    this.#parentWindow = new RequestWindow({ min: MIN_PARENT_REQUESTS, max });
    this.#originWindow = new RequestWindow({ min: MIN_ORIGIN_REQUESTS, max });
    this.#swarm = new ParentSwarm({
      dependencies,
      board,
      task,
      peerId,
      demandsVersion,
      onChange,
      onBytes: () => {
        stall.moved();
        originRace.moved();
        context.story.moved();
      },
      onWord: () => originRace.heard(this.#swarm.piecesPatienceMs),
    });
    this.#search = new ParentSearch(dependencies.clock, () => this.#searchParents());
    this.#parentFetches = new ParentFetches({
      dependencies,
      waits: context.waits,
      swarm: this.#swarm,
      board,
      task,
      signal,
      originPieces,
      originRace,
      originSlots: () => this.#originWindow.size,
      mayUseOrigin: () => context.wanted.mayUseOrigin,
      onOrigin: (reason) => context.story.raced(reason),
      session: () => scheduling.session,
    });
  }

  get source(): 'parents' | 'origin' {
    return this.#source;
  }

  /** More is wanted. False when it is too late: all is there that was wanted, or nothing more will be. */
  wantMore(): boolean {
    if (this.#over.signal.aborted) return false;
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
    const { missingCount } = this.#context.board;
    if (names.length === 0 && links.length > 0 && this.#source === 'parents')
      names.push(`an offer of ${counted(missingCount, 'piece')} from ${links.map(({ id }) => id).join(', ')}`);
    return names;
  }

  /** The file is going to be written from its first byte on: no parent may write to it meanwhile. */
  async leaveParents(): Promise<void> {
    this.#swarm.close();
    await this.#parentFetches.stop();
  }

  /** Resolves once everything wanted is stored. @throws the reason for which the attempt ended before, once nothing writes any more */
  async run(): Promise<void> {
    const { board, signal, task, stall } = this.#context;
    this.#want();
    try {
      if (!board.finished) this.#schedule();
      stall.moved();
      while (!board.finished && !signal.aborted) {
        this.#fill();
        if (this.#unblock()) continue;
        await this.#wakeup.wait();
      }
      // The origin has given all: that is how it ends for the scheduler, too.
      if (this.#isAsking) this.#source = 'origin';
    } finally {
      this.#over.abort();
      this.#search.stop();
      this.#swarm.close();
      await Promise.all(this.#fetches);
      this.#originRace.stop();
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
  #schedule(): void {
    const { dependencies, task, wanted } = this.#context;
    const { scheduler, settings } = dependencies;
    if (scheduler === undefined) return this.#goToOrigin('there is no scheduler');
    const isSmall = (task.layout?.contentLength ?? 0) <= settings.smallTaskBytes;
    if (isSmall && wanted.mayUseOrigin) return this.#goToOrigin('the task is small');
    this.#register(scheduler);
  }

  #register(scheduler: SchedulerClient): void {
    const { request, task, wanted, peerId, scheduling, dependencies } = this.#context;
    const registration = makeRegistration(request, task, {
      peerId,
      range: wanted.firstRange(task.layout?.contentLength ?? 0),
      disableBackToSource: !wanted.mayUseOrigin,
      settings: dependencies.settings,
    });
    const onMoreParents = (parents: CandidateParent[]): void => this.#addParents(parents);
    this.#ask((context) => scheduling.register(scheduler, registration, { ...context, onMoreParents }));
  }

  /** Does what the scheduler says once it does; until then others may give. */
  #ask(question: (context: QuestionContext) => Promise<Schedule>): void {
    const { waits, signal, fail } = this.#context;
    const isOver = AbortSignal.any([signal, this.#over.signal]);
    this.#isAsking = true;
    this.#originRace.expectLife(LIFE_PATIENCE_MS);
    const onAsked = ({ patienceMs, seen }: LifeSign): void => {
      if (this.#source === 'parents' && !isOver.aborted) void seen.then(this.#originRace.expectLife(patienceMs));
    };
    waits
      .during('the scheduler', () => question({ signal: isOver, onAsked }))
      .then(
        (schedule) => {
          if (isOver.aborted) return;
          this.#isAsking = false;
          this.#follow(schedule);
          this.wake();
        },
        (error: unknown) => {
          if (!isOver.aborted) fail(toDfpeerError(error));
        },
      ); // prettier-ignore
  }

  #follow(schedule: Schedule): void {
    const { stall, scheduling, story } = this.#context;
    stall.moved();
    if (this.#source === 'origin') return scheduling.session?.backToSourceStarted('the answer came too late');
    if (schedule.kind === 'origin') return this.#goToOrigin(this.#afterFailure(schedule.reason));
    story.parents(schedule.parents);
    scheduling.session?.started();
    this.#swarm.add(schedule.parents);
    this.#search.start();
    if (this.#swarm.speaking) this.#originRace.heard(this.#swarm.piecesPatienceMs);
    else if (this.#swarm.alive) this.#originRace.expectLife(this.#swarm.lifePatienceMs);
  }

  #searchParents(): void {
    const { board, scheduling } = this.#context;
    const isUseful = this.#source === 'parents' && !this.#isAsking && board.missingCount > 0;
    if (isUseful && this.#swarm.links.length < ENOUGH_PARENTS) scheduling.session?.searchParents();
  }

  #addParents(parents: readonly CandidateParent[]): void {
    const added = this.#swarm.add(parents);
    if (added.length > 0) this.#context.story.moreParents(added);
    this.#wakeup.notify();
  }

  #goToOrigin(reason: string): void {
    const { wanted, fail, story, scheduling } = this.#context;
    if (!wanted.mayUseOrigin) return fail(backToSourceDisabled(reason));
    story.origin(reason);
    this.#source = 'origin';
    this.#originRace.stop();
    scheduling.session?.backToSourceStarted(reason);
  }

  /** The scheduler's words alone would hide why the parents that it had named are out. */
  #afterFailure(reason: string): string {
    const { lastFailure } = this.#swarm;
    return lastFailure === undefined ? reason : `${lastFailure}; then ${reason}`;
  }

  #fill(): void {
    const { board, story } = this.#context;
    for (;;) {
      const fromParent = board.inFlightCount < this.#parentWindow.size ? this.#swarm.choose() : undefined;
      const mayAskOrigin = this.#source === 'origin' && board.inFlightCount < this.#originWindow.size;
      const isRaced = this.#source === 'parents' && fromParent === undefined && this.#parentFetches.mayRaceOrigin;
      const number = fromParent?.number ?? (mayAskOrigin || isRaced ? board.chooseInOrder() : undefined);
      if (number === undefined) break;
      if (isRaced) story.raced(this.#isAsking ? 'the scheduler is silent' : this.#swarm.silence);
      this.#start(number, fromParent?.link ?? (isRaced ? ORIGIN : undefined));
    }
    if (this.#source === 'parents') this.#parentFetches.hedge();
  }

  #start(number: number, source: PieceGiver | undefined): void {
    const { board, fail } = this.#context;
    board.start(number);
    this.#swarm.missingChanged();
    const keep = (piece: CollectedPiece): Promise<void> => this.#keep(piece);
    const work = source === undefined ? this.#fetchFromOrigin(number) : this.#parentFetches.fetch(number, source, keep);
    const settled = work
      .catch((thrown: unknown) => fail(toDfpeerError(thrown)))
      .finally(() => {
        if (board.putBack(number)) this.#swarm.missingChanged();
        this.#fetches.delete(settled);
        this.#wakeup.notify();
      });
    this.#fetches.add(settled);
  }

  /** Of a parent, or of the origin in the place of one. */
  async #keep({ carriage, ...piece }: CollectedPiece): Promise<void> {
    const isFromOrigin = piece.parentId === undefined;
    const window = isFromOrigin ? this.#originWindow : this.#parentWindow;
    this.#finished(window, piece);
    await this.#context.store(piece);
    if (carriage !== undefined) this.#context.story.carried(piece, carriage);
    const { session } = this.#context.scheduling;
    if (isFromOrigin) session?.pieceFromSourceFinished(piece);
    else session?.pieceFinished(piece);
  }

  #finished(window: RequestWindow, { parentId, length: bytes, costMs: durationMs }: StoredPiece): void {
    window.finished({ peer: parentId ?? ORIGIN.id, bytes, durationMs, atOnce: this.#context.board.inFlightCount });
  }

  async #fetchFromOrigin(number: number): Promise<void> {
    const { originPieces, task, signal, dependencies, scheduling } = this.#context;
    try {
      await originPieces.fetch(number);
      const piece = task.piece(number);
      if (piece !== undefined) this.#finished(this.#originWindow, piece);
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

  /** No parent is at work and pieces are missing: finds out why, and who else could give them. True when something changed. */
  #unblock(): boolean {
    const { board, task, stall, dependencies, scheduling } = this.#context;
    if (this.#source === 'origin') return false;
    if (this.#isAsking) return this.#leaveSilentScheduler();
    // What is with the disk, or on its way from the origin, needs no other parents.
    if (board.missingCount === 0 || this.#parentFetches.parentCount > 0) return false;
    this.#swarm.pruneExhausted();
    const idleMs = stall.stillMs;
    const { collectedPieceTimeoutMs } = dependencies.settings;
    if (this.#swarm.alive && idleMs < Math.min(this.#offerPatienceMs, collectedPieceTimeoutMs)) return false;
    if (this.#swarm.alive && idleMs >= collectedPieceTimeoutMs)
      this.#swarm.giveUpAll(`no piece of task ${task.taskId} was offered for ${Math.round(idleMs / 1000)} s`);
    this.#ask((context) => scheduling.reschedule(this.#swarm.takeFailed(), context));
    return false;
  }

  /** Peers that all lived on one that is gone wait for each other: only the scheduler can send one of them to the origin. */
  get #offerPatienceMs(): number {
    return this.#swarm.hasFailed && this.#context.wanted.mayUseOrigin ? PARENT_PATIENCE_MS : Infinity;
  }

  /** Of an origin without ranges no single piece can be had meanwhile: it is all of it, or to wait on. */
  #leaveSilentScheduler(): boolean {
    const { originPieces, wanted } = this.#context;
    const { isLifeless, silentMs } = this.#originRace;
    const isSilent = isLifeless || silentMs >= PARENT_PATIENCE_MS;
    if (!isSilent || this.#swarm.alive || originPieces.takesRanges !== false || !wanted.mayUseOrigin) return false;
    this.#goToOrigin('the scheduler is silent, and the origin gives no single pieces');
    return true;
  }
}
