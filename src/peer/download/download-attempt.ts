import { throwIfAborted } from '../../core/deadline.js';
import { DfpeerError, OriginError, toDfpeerError, UsageError } from '../../core/errors.js';
import type { ByteRange, StoredPiece } from '../../core/piece.js';
import { redactUrl } from '../../core/redact.js';
import { Wakeup } from '../../core/wakeup.js';
import type { OriginContent } from '../fetch/piece-fetcher.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import { OriginSource } from './origin-source.js';
import { openTask } from './open-task.js';
import { OriginPieces } from './origin-pieces.js';
import { ParentFetches } from './parent-fetches.js';
import type { ParentLink } from './parent-link.js';
import { ParentSwarm } from './parent-swarm.js';
import { PieceBoard } from './piece-board.js';
import { makeRegistration, Scheduling, type Schedule } from './scheduling.js';
import { StallWatch } from './stall-watch.js';

/** More pieces than this are not named in a log line. */
const MAX_NAMED_WAITS = 8;

/** Where missing pieces come from at the moment. */
type Source = { kind: 'parents' } | { kind: 'origin'; reason: string };

/** The parents, and what is asked of them. */
interface ParentSide {
  swarm: ParentSwarm;
  fetches: ParentFetches;
}

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
  readonly #afterChange: boolean;
  readonly #stall: StallWatch;
  readonly #onTask: (task: StoredTask) => void;
  #task: StoredTask | undefined;
  #originPieces: OriginPieces | undefined;
  #parents: ParentSide | undefined;
  #source: Source = { kind: 'parents' };
  #fatal: DfpeerError | undefined;
  #isOver = false;

  /** `onTask` hears of the task as soon as it is open; `afterChange`: the origin's content has just changed. */
  constructor(
    dependencies: DownloadDependencies,
    request: DownloadRequest,
    { wanted, afterChange, onTask }: { wanted: Wanted; afterChange: boolean; onTask: (task: StoredTask) => void },
  ) {
    this.peerId = dependencies.host.newPeerId();
    this.#dependencies = { ...dependencies, logger: dependencies.logger.child({ peerId: this.peerId }) };
    this.#request = request;
    this.#wanted = wanted;
    this.#afterChange = afterChange;
    this.#onTask = onTask;
    this.#board = new PieceBoard(dependencies.random);
    this.#stall = new StallWatch(dependencies.clock, this.#dependencies.logger);
    this.#origin = new OriginSource(this.#dependencies, request, {
      signal: this.#controller.signal,
      onBytes: () => this.#stall.moved(),
    });
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
    if (task.complete) return this.#announce(task);
    // Removed while we work: nothing that comes from now on would be kept.
    const unsubscribe = task.subscribe({ onStopped: (error) => this.abort(error) });
    const originPieces = this.#createOriginPieces(task, content);
    this.#originPieces = originPieces;
    this.#stall.moved();
    const cancelTick = this.#tick();
    let failure: DfpeerError | undefined;
    try {
      await task.beginDownload();
      throwIfAborted(this.#controller.signal, 'the download');
      this.#announce(task);
      if (content !== undefined && task.layout === undefined) await this.#stream(originPieces, content);
      else await this.#collect(task);
      if (task.pieceCount === task.layout?.count) this.#dependencies.inBackground(task.finish());
      return task;
    } catch (thrown) {
      // What was under way when it was stopped may fail in its own ways; why it was stopped is what counts.
      failure = toDfpeerError(this.#controller.signal.aborted ? this.#controller.signal.reason : thrown);
      throw failure;
    } finally {
      this.#isOver = true;
      cancelTick();
      unsubscribe();
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
      : this.#wanted.ranges.flatMap((range) => {
          const resolved = resolveRange(range, layout.contentLength);
          return resolved === undefined ? [] : layout.covering(resolved);
        });
    const added = slices
      .map(({ number }) => number)
      .filter((number) => task.piece(number) === undefined && this.#board.want(number));
    this.#parents?.swarm.ask(added);
  }

  // --- one sequential stream, for origins without ranges or without a length

  async #stream(originPieces: OriginPieces, content: OriginContent): Promise<void> {
    if (this.#request.disableBackToSource)
      throw backToSourceDisabled('the origin gives no length, so no peer can have the task');
    await originPieces.stream(content);
  }

  // --- piece by piece, from parents or the origin

  async #collect(task: StoredTask): Promise<void> {
    if (this.#board.finished) return;
    await this.#schedule(task);
    this.#stall.moved();
    try {
      while (!this.#board.finished && this.#fatal === undefined && !this.#controller.signal.aborted) {
        this.#fill(task);
        if (this.#board.inFlightCount === 0 && (await this.#unblock(task))) continue;
        await this.#wakeup.wait();
      }
    } finally {
      this.#isOver = true;
      this.#parents?.swarm.close();
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
    const swarm = new ParentSwarm({
      dependencies: this.#dependencies,
      board: this.#board,
      task,
      peerId: this.peerId,
      demandsVersion: this.#afterChange,
      onChange,
      onBytes: () => this.#stall.moved(),
    });
    const fetches = new ParentFetches({
      dependencies: this.#dependencies,
      swarm,
      board: this.#board,
      task,
      signal: this.#controller.signal,
      session: () => this.#scheduling.session,
    });
    this.#parents = { swarm, fetches };
    if (scheduler === undefined) return this.#goToOrigin('there is no scheduler');
    const isSmall = (task.layout?.contentLength ?? 0) <= settings.smallTaskBytes;
    if (isSmall && !this.#request.disableBackToSource) return this.#goToOrigin('the task is small');
    const [first] = this.#wanted.all ? [] : this.#wanted.ranges;
    const range = first === undefined ? undefined : resolveRange(first, task.layout?.contentLength ?? 0);
    this.#follow(
      await this.#scheduling.register(
        scheduler,
        makeRegistration(this.#request, task, { peerId: this.peerId, range, settings }),
      ),
    );
    this.#scheduling.session?.failed.addEventListener('abort', onChange, { once: true });
  }

  #follow(schedule: Schedule): void {
    this.#stall.moved();
    if (schedule.kind === 'origin') return this.#goToOrigin(schedule.reason);
    this.#scheduling.session?.started();
    this.#parents?.swarm.add(schedule.parents);
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
    const parents = this.#parents;
    while (this.#board.inFlightCount < concurrentPieceCount) {
      const fromParent = parents?.swarm.choose();
      const number = fromParent?.number ?? (this.#source.kind === 'origin' ? this.#board.chooseInOrder() : undefined);
      if (number === undefined) break;
      this.#board.start(number);
      const work =
        fromParent === undefined || parents === undefined
          ? this.#fetchFromOrigin(number)
          : this.#fetchFromParent(parents.fetches, task, fromParent.link, number);
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
    parents?.fetches.hedge();
  }

  async #fetchFromParent(fetches: ParentFetches, task: StoredTask, link: ParentLink, number: number): Promise<void> {
    const piece = await fetches.fetch(number, link);
    if (piece === undefined) return;
    await this.#stored(task, piece);
    this.#scheduling.session?.pieceFinished(piece);
  }

  async #fetchFromOrigin(number: number): Promise<void> {
    try {
      await this.#originPieces?.fetch(number);
    } catch (thrown) {
      if (this.#controller.signal.aborted) return;
      const error = toDfpeerError(thrown, 'DFP_ORIGIN_UNREACHABLE');
      if (error.kind === 'disk') throw error;
      this.#dependencies.observer.pieceFailed('origin', error.code);
      const answer = error instanceof OriginError ? { status: error.status, headers: error.headers } : {};
      this.#scheduling.session?.pieceFromSourceFailed({ pieceNumber: number, message: error.message, ...answer });
      throw error;
    }
  }

  async #stored(task: StoredTask, piece: StoredPiece): Promise<void> {
    await task.addPiece(piece);
    this.#board.done(piece.number);
    this.#stall.moved();
    this.#dependencies.observer.pieceStored(piece.trafficType, piece.length, piece.parentId ?? 'origin');
    this.#wakeup.notify();
  }

  /** Nothing is under way and pieces are missing: finds out why, and who else could give them. True when something changed. */
  async #unblock(task: StoredTask): Promise<boolean> {
    const swarm = this.#parents?.swarm;
    if (swarm === undefined || this.#source.kind === 'origin')
      return this.#source.kind === 'origin' && this.#board.missingCount > 0 && this.#fetches.size === 0;
    swarm.pruneExhausted();
    const { collectedPieceTimeoutMs } = this.#dependencies.settings;
    const idleMs = this.#stall.stillMs;
    if (swarm.alive && idleMs < collectedPieceTimeoutMs) return false;
    if (swarm.alive) swarm.giveUpAll(`no piece of task ${task.taskId} was offered for ${Math.round(idleMs / 1000)} s`);
    this.#follow(await this.#scheduling.reschedule(swarm.takeFailed()));
    return true;
  }

  /** The loop must also notice that nothing happens, and say so. */
  #tick(): () => void {
    const { clock, settings } = this.#dependencies;
    const intervalMs = Math.max(50, Math.min(1000, settings.collectedPieceTimeoutMs / 4));
    let cancel: () => void;
    const tick = (): void => {
      this.#stall.check(() => this.#waitingFor());
      this.#wakeup.notify();
      cancel = clock.after(intervalMs, tick, { unref: true });
    };
    cancel = clock.after(intervalMs, tick, { unref: true });
    return () => cancel();
  }

  #waitingFor(): string {
    const names = this.#parents?.fetches.describe() ?? [];
    if (this.#board.inFlightCount > names.length || this.#source.kind === 'origin')
      names.push(`the origin ${redactUrl(this.#request.url)}`);
    const links = this.#parents?.swarm.links ?? [];
    if (names.length === 0 && links.length > 0)
      names.push(`an offer of ${this.#board.missingCount} pieces from ${links.map(({ id }) => id).join(', ')}`);
    return names.slice(0, MAX_NAMED_WAITS).join('; ') || 'the scheduler';
  }

  #createOriginPieces(task: StoredTask, content: OriginContent | undefined): OriginPieces {
    return new OriginPieces({
      task,
      url: this.#request.url,
      origin: this.#origin,
      content,
      board: this.#board,
      now: () => this.#dependencies.clock.now(),
      onPiece: async (piece) => {
        await this.#stored(task, piece);
        this.#scheduling.session?.pieceFromSourceFinished(piece);
      },
    });
  }
}

/** One client's range that does not fit the content is its own concern, not that of the others: nothing is wanted for it. */
function resolveRange(range: Wanted['ranges'][number], contentLength: number): ByteRange | undefined {
  try {
    return range(contentLength);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function backToSourceDisabled(reason: string): DfpeerError {
  return new DfpeerError(
    'DFP_BACK_TO_SOURCE_DISABLED',
    `the task is not to be fetched from the origin, but ${reason}; try again when a peer has it, or allow back-to-source`,
  );
}
