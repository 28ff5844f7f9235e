import { throwIfAborted } from '../../core/deadline.js';
import { toDfpeerError, type DfpeerError } from '../../core/errors.js';
import type { StoredPiece } from '../../core/piece.js';
import type { OriginContent } from '../fetch/piece-fetcher.js';
import type { StoredTask } from '../store/stored-task.js';
import { backToSourceDisabled } from './back-to-source.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import { type DownloadFacts, DownloadStory } from './download-story.js';
import type { NamedWaits } from './named-waits.js';
import { openTask } from './open-task.js';
import { OriginPieces } from './origin-pieces.js';
import { OriginSource } from './origin-source.js';
import { PieceBoard } from './piece-board.js';
import { PieceCollection } from './piece-collection.js';
import { Scheduling } from './scheduling.js';
import type { StallWatch } from './stall-watch.js';
import type { Wanted } from './wanted.js';

export interface AttemptContext {
  wanted: Wanted;
  waits: NamedWaits;
  stall: StallWatch;
  /** The origin's content has just changed. */
  afterChange: boolean;
  /** It does so all the time, or each of its servers has a name of its own for it: all of it comes in one answer, which is one state. */
  inOneAnswer: boolean;
  /** What the attempt before this one worked on. */
  begun: StoredTask | undefined;
  /** Hears of the task as soon as it is open. */
  onTask: (task: StoredTask) => void;
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
  readonly #context: AttemptContext;
  readonly #controller = new AbortController();
  readonly #story: DownloadStory;
  readonly #board: PieceBoard;
  readonly #origin: OriginSource;
  readonly #scheduling: Scheduling;
  #collection: PieceCollection | undefined;
  #isOver = false;

  constructor(dependencies: DownloadDependencies, request: DownloadRequest, context: AttemptContext) {
    this.peerId = dependencies.host.newPeerId();
    const logger = dependencies.logger.child({ peerId: this.peerId });
    this.#dependencies = { ...dependencies, logger };
    this.#request = request;
    this.#context = context;
    const { signal } = this.#controller;
    this.#story = new DownloadStory(logger, dependencies.clock);
    this.#board = new PieceBoard(dependencies.random, (number) => dependencies.copies(request.taskId, number));
    const onBytes = (): void => {
      context.stall.moved();
      this.#story.moved();
    };
    this.#origin = new OriginSource(this.#dependencies, request, {
      signal,
      waits: context.waits,
      onBytes,
    });
    this.#scheduling = new Scheduling(this.#dependencies);
  }

  get facts(): Readonly<DownloadFacts> {
    return this.#story.facts;
  }

  /** More is wanted. False when it is too late: the attempt has all it wanted, and ends. */
  wantMore(): boolean {
    return !this.#isOver && (this.#collection?.wantMore() ?? true);
  }

  /** Looks again at what can be done. */
  wake(): void {
    this.#collection?.wake();
  }

  /** Whom pieces are awaited from, beside the waits of the context. */
  waitingFor(): string[] {
    return this.#collection?.waitingFor() ?? [];
  }

  /** Stops, unless everything is there already; `run` rejects with the first reason once nothing writes any more. */
  abort(reason: DfpeerError): void {
    this.#controller.abort(reason);
    this.wake();
  }

  async run(): Promise<StoredTask> {
    this.#story.begins(this.#request);
    try {
      const task = await this.#run();
      this.#story.ends(undefined);
      return task;
    } catch (error) {
      this.#story.ends(toDfpeerError(error));
      throw error;
    }
  }

  async #run(): Promise<StoredTask> {
    try {
      const opened = await openTask(this.#dependencies, this.#request, {
        origin: this.#origin,
        begun: this.#context.begun,
        inOneAnswer: this.#context.inOneAnswer,
        waits: this.#context.waits,
        signal: this.#controller.signal,
      });
      this.#story.opened(opened.task);
      if (!opened.task.complete) return await this.#download(opened);
      this.#context.onTask(opened.task);
      return opened.task;
    } finally {
      this.#isOver = true;
    }
  }

  async #download({ task, content, replaced }: Awaited<ReturnType<typeof openTask>>): Promise<StoredTask> {
    // Removed while we work: nothing that comes from now on would be kept.
    const unsubscribe = task.subscribe({ onStopped: (error) => this.abort(error) });
    const { waits, stall } = this.#context;
    stall.moved();
    let failure: DfpeerError | undefined;
    let finished: Promise<void> | undefined;
    try {
      await waits.disk(`begin with task ${task.taskId}`, () => task.beginDownload());
      throwIfAborted(this.#controller.signal, 'the download');
      this.#context.onTask(task);
      await this.#fetch(task, content, this.#context.afterChange || replaced);
      if (task.pieceCount === task.layout?.count) finished = task.finish();
      return task;
    } catch (thrown) {
      // What was under way when it was stopped may fail in its own ways; why it was stopped is what counts.
      failure = toDfpeerError(this.#controller.signal.aborted ? this.#controller.signal.reason : thrown);
      throw failure;
    } finally {
      this.#isOver = true;
      unsubscribe();
      task.endDownload(failure);
      // Whoever waits for the bytes need not wait for the scheduler's goodbye.
      const how = this.#collection?.source === 'origin' ? 'source' : 'parents';
      const closed = this.#scheduling.close(how, failure);
      this.#dependencies.inBackground(closed);
      if (finished !== undefined) this.#dependencies.inBackground(this.#announce(task, [finished, closed]));
    }
  }

  /** For a scheduler that has not heard of the copy on the download's stream: there was none, or it broke. */
  async #announce(task: StoredTask, ends: readonly Promise<void>[]): Promise<void> {
    await Promise.all(ends);
    this.#dependencies.announceCopy?.(task);
  }

  /** In one sequential stream where the origin tells no length, otherwise piece by piece. */
  async #fetch(task: StoredTask, content: OriginContent | undefined, demandsVersion: boolean): Promise<void> {
    const { wanted, waits, stall } = this.#context;
    const originPieces = this.#createOriginPieces(task, content);
    if (content !== undefined && task.layout === undefined) {
      if (!wanted.mayUseOrigin) throw backToSourceDisabled('the origin gives no length, so no peer can have the task');
      this.#story.origin('it gives no length, so no peer can have the task');
      return originPieces.stream(content);
    }
    this.#collection = new PieceCollection({
      dependencies: this.#dependencies,
      request: this.#request,
      task,
      wanted,
      peerId: this.peerId,
      board: this.#board,
      originPieces,
      scheduling: this.#scheduling,
      waits,
      stall,
      demandsVersion,
      story: this.#story,
      signal: this.#controller.signal,
      fail: (reason) => this.abort(reason),
      store: (piece) => this.#store(task, piece),
    });
    await this.#collection.run();
  }

  async #store(task: StoredTask, piece: StoredPiece): Promise<void> {
    const { waits, stall } = this.#context;
    await waits.disk(`record piece ${piece.number}`, () => task.addPiece(piece));
    this.#board.done(piece.number);
    stall.moved();
    this.#story.stored(piece);
    this.#dependencies.observer.pieceStored(piece.trafficType, piece.length, piece.costMs);
    this.wake();
  }

  #createOriginPieces(task: StoredTask, content: OriginContent | undefined): OriginPieces {
    return new OriginPieces({
      task,
      url: this.#request.url,
      origin: this.#origin,
      content,
      board: this.#board,
      waits: this.#context.waits,
      now: () => this.#dependencies.clock.now(),
      beforeStream: async () => this.#collection?.leaveParents(),
      onPiece: async (piece) => {
        await this.#store(task, piece);
        this.#scheduling.session?.pieceFromSourceFinished(piece);
      },
    });
  }
}
