import { DfpeerError } from '../../../../src/core/errors.js';
import { silentLogger } from '../../../../src/core/logger.js';
import { PieceLayout, TrafficType, type StoredPiece } from '../../../../src/core/piece.js';
import { noTracing } from '../../../../src/core/tracing.js';
import { computeTaskId } from '../../../../src/core/task-id.js';
import { Wakeup } from '../../../../src/core/wakeup.js';
import { DistrustedHosts } from '../../../../src/peer/download/distrusted-hosts.js';
import { NamedWaits } from '../../../../src/peer/download/named-waits.js';
import { PieceBoard } from '../../../../src/peer/download/piece-board.js';
import { PieceCollection, type PieceCollectionContext } from '../../../../src/peer/download/piece-collection.js';
import { RememberedHosts } from '../../../../src/peer/download/remembered-hosts.js';
import { Scheduling } from '../../../../src/peer/download/scheduling.js';
import { StallWatch } from '../../../../src/peer/download/stall-watch.js';
import { Wanted } from '../../../../src/peer/download/wanted.js';
import type { ParentDialer, PieceOffer } from '../../../../src/peer/parents/parent-dialer.js';
import type { CandidateParent, ScheduleDecision } from '../../../../src/scheduler-client/scheduler-client.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { NO_BUDGETS } from '../../../support/no-budgets.js';
import { candidate } from './candidate-parent.js';

export const PIECE_LENGTH = 4;
export const SMALL_TASK_BYTES = 8;

/** What was asked of somebody, and how to answer. */
interface Asked<T> {
  what: string;
  signal?: AbortSignal;
  answer: (value: T) => void;
  fail: (error: Error) => void;
}

class Questions<T> {
  readonly asked: Asked<T>[] = [];

  ask(what: string, signal?: AbortSignal): Promise<T> {
    return new Promise((answer, fail) => this.asked.push({ what, ...(signal && { signal }), answer, fail }));
  }

  get names(): string[] {
    return this.asked.map(({ what }) => what);
  }
}

/** A parent that does nothing of its own accord. */
class StagedParent {
  readonly #offers: number[] = [];
  readonly #more = new Wakeup();
  #failure: Error | undefined;
  #isOver = false;
  /** It takes connections, and answers nothing. */
  isMute = false;

  offer(...numbers: number[]): void {
    this.#offers.push(...numbers);
    this.#more.notify();
  }

  /** It has told of all that it has. */
  ends(): void {
    this.#isOver = true;
    this.#more.notify();
  }

  breaks(): void {
    this.#failure = new DfpeerError('DFP_PARENT_UNREACHABLE', 'it is gone');
    this.#more.notify();
  }

  async *offers(port: number, signal: AbortSignal): AsyncGenerator<PieceOffer> {
    signal.addEventListener('abort', () => this.#more.notify(), { once: true });
    const endpoint = { protocol: 'http', host: '192.0.2.1', port } as const;
    for (let next = 0; !signal.aborted; await this.#more.wait()) {
      for (const number of this.#offers.slice(next, (next = this.#offers.length)))
        yield { number, offset: number * PIECE_LENGTH, length: PIECE_LENGTH, endpoint };
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return;
    }
  }
}

/** A collection of pieces, and a world around it in which nothing happens but what a test says. */
export class CollectionStage {
  readonly clock = new ManualClock();
  /** Of the scheduler. */
  readonly questions = new Questions<ScheduleDecision>();
  /** Of parents: `PIECE PARENT`. */
  readonly fetches = new Questions<{ digest: string; costMs: number; toldRoute: undefined }>();
  /** Of the origin: `PIECE`, or `PIECE meanwhile` for others. */
  readonly originFetches = new Questions<void>();
  /** Pieces are recorded once this resolves. */
  disk = Promise.resolve();
  /** What the scheduler was told. */
  readonly told: string[] = [];
  readonly board = new PieceBoard(() => 0);
  readonly controller = new AbortController();
  readonly origin: { mayRace: boolean; takesRanges: boolean | undefined } = { mayRace: true, takesRanges: true };
  readonly collection: PieceCollection;
  readonly wanted = new Wanted();
  readonly #parents = new Map<string, StagedParent>();
  readonly #stored = new Map<number, StoredPiece>();
  #hearMore: (parents: CandidateParent[]) => void = () => undefined;

  constructor(options: { pieces: number; hasScheduler?: boolean; disableBackToSource?: boolean }) {
    const { pieces, hasScheduler = true, disableBackToSource = false } = options;
    const { clock, board, controller } = this;
    const layout = new PieceLayout(pieces * PIECE_LENGTH, PIECE_LENGTH);
    this.wanted.add({ range: undefined, disableBackToSource });
    const dependencies = {
      ...{ clock, logger: silentLogger, tracer: noTracing, budgets: NO_BUDGETS, hasChildren: () => false },
      ...{ parents: this.#dialer(), scheduler: hasScheduler ? this.#scheduler() : undefined },
      distrusted: new DistrustedHosts(clock),
      silentHosts: new RememberedHosts(clock),
      unreachableHosts: new RememberedHosts(clock),
      fetcher: {
        fromParent: ({
          slice,
          endpoint,
          signal,
        }: {
          slice: { number: number };
          endpoint: { port: number };
          signal: AbortSignal;
        }) => this.fetches.ask(`${slice.number} ${this.#names[endpoint.port] ?? ''}`, signal),
      },
      observer: { pieceFailed: () => undefined },
      host: { isAt: () => false },
      settings: {
        ...{ concurrentPieceCount: 8, maxScheduleCount: 4, smallTaskBytes: SMALL_TASK_BYTES },
        ...{ idleTimeoutMs: 30_000, pieceTimeoutMs: 60_000, collectedPieceTimeoutMs: 360_000 },
      },
    };
    const task = {
      ...{ taskId: computeTaskId({ url: 'http://example.com/' }), layout, removed: false, contentVersion: undefined },
      piece: (number: number) => this.#stored.get(number),
      slice: (number: number) => layout.slice(number),
      arrivals: { begin: () => ({}), end: () => undefined },
    };
    const context = {
      ...{ dependencies, task, board, wanted: this.wanted, peerId: 'child', demandsVersion: false },
      request: {},
      originPieces: this.#originPieces(),
      scheduling: new Scheduling(dependencies as unknown as ConstructorParameters<typeof Scheduling>[0]),
      waits: new NamedWaits(clock),
      stall: new StallWatch(clock, silentLogger),
      story: {
        ...{ parents: () => undefined, moreParents: () => undefined, moved: () => undefined },
        ...{ origin: () => undefined, raced: () => undefined, carried: () => undefined },
      },
      signal: controller.signal,
      fail: (reason: Error) => {
        controller.abort(reason);
        this.collection.wake();
      },
      store: async (piece: StoredPiece) => {
        await this.disk;
        this.#stored.set(piece.number, piece);
        board.done(piece.number);
        this.collection.wake();
      },
    };
    this.collection = new PieceCollection(context as unknown as PieceCollectionContext);
  }

  readonly #names: string[] = [];

  parent(name: string): StagedParent {
    const known = this.#parents.get(name) ?? new StagedParent();
    this.#parents.set(name, known);
    return known;
  }

  /** Lets everything happen that follows from what a test did, and the time pass. */
  async pass(ms = 0): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await new Promise(setImmediate);
    this.clock.advance(ms);
    await new Promise(setImmediate);
  }

  /** The scheduler's answer to its last question. */
  async answer(decision: ScheduleDecision): Promise<void> {
    this.questions.asked.at(-1)?.answer(decision);
    await this.pass();
  }

  async tellOfMore(...names: string[]): Promise<void> {
    this.#hearMore(names.map(candidate));
    await this.pass();
  }

  async give(what: string): Promise<void> {
    this.fetches.asked.find((fetch) => fetch.what === what)?.answer({ digest: '', costMs: 1, toldRoute: undefined });
    await this.pass();
  }

  /** Whatever it is asked for, until nobody asks any more. */
  async originGivesAll(): Promise<void> {
    for (const { answer } of this.originFetches.asked) {
      answer();
      await this.pass();
    }
  }

  #dialer(): ParentDialer {
    const parentOf = (name: string): StagedParent => this.parent(name);
    const names = this.#names;
    return {
      async *syncPieces({ peerId }, _request, signal, onAnswer): AsyncGenerator<PieceOffer> {
        if (!parentOf(peerId).isMute) onAnswer?.();
        if (!names.includes(peerId)) names.push(peerId);
        yield* parentOf(peerId).offers(names.indexOf(peerId), signal);
      },
      async *syncHost(_parent, _request, signal): AsyncGenerator<never> {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        yield* [];
      },
      close: () => undefined,
    };
  }

  #originPieces(): object {
    const { origin, originFetches } = this;
    const piece = (number: number): StoredPiece => ({
      ...{ number, offset: number * PIECE_LENGTH, length: PIECE_LENGTH, digest: '', costMs: 1, createdAtMs: 1 },
      trafficType: TrafficType.BACK_TO_SOURCE,
    });
    return {
      get mayRace() {
        return origin.mayRace;
      },
      get takesRanges() {
        return origin.takesRanges;
      },
      race: async (number: number, signal: AbortSignal) => {
        await originFetches.ask(`${number} meanwhile`, signal);
        return piece(number);
      },
      fetch: async (number: number) => {
        await originFetches.ask(`${number}`);
        this.#stored.set(number, piece(number));
        this.board.done(number);
      },
    };
  }

  #scheduler(): object {
    const { questions, told } = this;
    const tell = (what: string) => () => void told.push(what);
    const session = {
      failed: new AbortController().signal,
      onMoreParents: (listener: (parents: CandidateParent[]) => void) => (this.#hearMore = listener),
      // Alive, as soon as it is asked.
      expectLife: () => ({ patienceMs: 500, seen: Promise.resolve() }),
      register: (signal: AbortSignal) => questions.ask('register', signal),
      reschedule: (failed: CandidateParent[], _why: string, signal: AbortSignal) =>
        questions.ask(`instead of ${failed.map(({ peerId }) => peerId).join(', ')}`, signal),
      searchParents: tell('search'),
      started: tell('started'),
      backToSourceStarted: (reason: string) => told.push(`origin: ${reason}`),
      pieceFinished: ({ number }: StoredPiece) => told.push(`piece ${number}`),
      pieceFromSourceFinished: ({ number }: StoredPiece) => told.push(`piece ${number} of the origin`),
      pieceFromSourceFailed: ({ pieceNumber }: { pieceNumber: number }) => told.push(`no piece ${pieceNumber}`),
      pieceFailed: () => undefined,
    };
    return { openSession: () => Promise.resolve(session) };
  }
}
