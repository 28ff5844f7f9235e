import { availableParallelism } from 'node:os';
import type { ByteBudget } from '../../core/byte-budget.js';
import { type Clock, systemClock } from '../../core/clock.js';
import { throwIfAborted } from '../../core/deadline.js';
import { codeOf, DfpeerError, toDfpeerError, UsageError } from '../../core/errors.js';
import { FetchCall } from './fetch-call.js';
import { FetchPlaces } from './fetch-places.js';
import type { Job, JobKind, JobKinds, ThreadOptions, ThreadOrder, ThreadReport } from './messages.js';
import type {
  FetchCommon,
  FetchedPiece,
  OriginContent,
  OriginPieceRequest,
  OriginStreamRequest,
  ParentPiece,
  ParentPieceRequest,
  PieceFetcher,
} from './piece-fetcher.js';
import { ThreadPool } from './thread-pool.js';

/** More at once stand in line. */
export const MAX_FETCHES_IN_FLIGHT = 256;
/** More in line are refused with DFP_LIMIT. */
export const MAX_FETCHES_WAITING = 4096;
export const MAX_DEFAULT_THREADS = 4;

export interface ThreadedPieceFetcherOptions extends Partial<ThreadOptions> {
  /** Default: one for two cores, at most 4. They start when there is work. */
  threads?: number;
  /** Default {@link MAX_FETCHES_IN_FLIGHT}. */
  maxInFlight?: number;
  /** Default {@link MAX_FETCHES_WAITING}. */
  maxWaiting?: number;
  /** What goes on all the same, but somebody should know; once for each message. */
  onTrouble?: (message: string) => void;
  /** Default: our own program; tests bring others. */
  entry?: URL;
  clock?: Clock;
}

/** The PieceFetcher of production: sockets, digests and files are the business of threads, this side only keeps the books. */
export class ThreadedPieceFetcher implements PieceFetcher {
  readonly #pool: ThreadPool<ThreadOrder, ThreadReport>;
  readonly #calls = new Map<number, FetchCall>();
  readonly #places: FetchPlaces;
  readonly #clock: Clock;
  readonly #onTrouble: (message: string) => void;
  readonly #troubles = new Set<string>();
  #lastId = 0;
  #closed = false;

  constructor(options: ThreadedPieceFetcherOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#onTrouble = options.onTrouble ?? ((): void => undefined);
    this.#places = new FetchPlaces({
      places: options.maxInFlight ?? MAX_FETCHES_IN_FLIGHT,
      maxWaiting: options.maxWaiting ?? MAX_FETCHES_WAITING,
      clock: this.#clock,
    });
    const data: ThreadOptions = {
      allowedNetworks: options.allowedNetworks ?? [],
      authorities: options.authorities ?? { named: undefined, system: [], additional: [] },
      parentConnectTimeoutMs: options.parentConnectTimeoutMs,
      originConnectTimeoutMs: options.originConnectTimeoutMs,
      connectionsPerOrigin: options.connectionsPerOrigin,
      environment: options.environment,
    };
    this.#pool = new ThreadPool({
      entry: options.entry ?? new URL('./fetch-thread.js', import.meta.url),
      data,
      size: options.threads ?? Math.min(MAX_DEFAULT_THREADS, Math.max(1, Math.floor(availableParallelism() / 2))),
      onReport: (report) => this.#onReport(report),
      onDeath: (jobs, cause) => this.#onDeath(jobs, cause),
      clock: this.#clock,
    });
  }

  /** Starts the first thread before there is work: otherwise the first download waits for it. */
  warmUp(): void {
    if (!this.#closed) this.#pool.warmUp();
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  get threadCount(): number {
    return this.#pool.threadCount;
  }

  async fromParent(request: ParentPieceRequest): Promise<ParentPiece> {
    const { endpoint, taskId, childPeerId, slice, contentVersion, blocksWish, traceParent, path } = request;
    const order = { endpoint, taskId, childPeerId, slice, contentVersion, blocksWish, traceParent, path };
    return this.#run('parent-piece', order, checkSlice(slice.length, request));
  }

  async fromOrigin(request: OriginPieceRequest): Promise<FetchedPiece> {
    const { origin, slice, path } = request;
    return this.#run('origin-piece', { origin, slice, path }, checkSlice(slice.length, request));
  }

  async streamFromOrigin(request: OriginStreamRequest): Promise<{ contentLength: number }> {
    const { origin, pieceLength, stored = [], path } = request;
    return this.#run('origin-stream', { origin, pieceLength, stored, path }, checkSlice(pieceLength, request));
  }

  async statOrigin(request: Parameters<PieceFetcher['statOrigin']>[0]): Promise<OriginContent> {
    const { url, requestHeader, trust, inOneAnswer } = request;
    return this.#run('origin-stat', { url, requestHeader, trust, inOneAnswer }, request);
  }

  /** Aborts what is under way (DFP_SHUTTING_DOWN), waits for it, ends the threads. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const reason = new DfpeerError('DFP_SHUTTING_DOWN', 'fetching stops: the daemon shuts down');
    this.#places.refuseAll(reason);
    const calls = [...this.#calls.values()];
    for (const call of calls) call.abort(reason);
    await Promise.allSettled(calls.map((call) => call.result));
    await this.#pool.close();
  }

  async #run<K extends JobKind>(
    kind: K,
    order: JobKinds[K]['order'],
    request: CallRequest,
  ): Promise<JobKinds[K]['result']> {
    this.#assertOpen();
    const giveBack = await this.#places.take(request);
    try {
      this.#assertOpen();
      throwIfAborted(request.signal, 'a fetch');
      return await this.#call(kind, order, request);
    } finally {
      giveBack();
    }
  }

  async #call<K extends JobKind>(
    kind: K,
    order: JobKinds[K]['order'],
    request: CallRequest,
  ): Promise<JobKinds[K]['result']> {
    const { budgets = [], idleTimeoutMs, timeoutMs, blocks } = request;
    const limits = {
      timeoutMs,
      ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
      metered: budgets.length > 0,
      reportsProgress: request.onProgress !== undefined,
      ...(blocks === undefined ? {} : { blockLength: blocks.blockLength }),
    };
    const id = ++this.#lastId;
    const call = new FetchCall({ ...request, budgets, id, pool: this.#pool, clock: this.#clock });
    this.#calls.set(id, call);
    try {
      this.#begin(call, id, { kind, order, limits } as Job);
      return await call.result;
    } finally {
      this.#calls.delete(id);
      this.#pool.end(id);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new DfpeerError('DFP_SHUTTING_DOWN', 'nothing is fetched any more: the daemon shuts down');
  }

  #begin(call: FetchCall, id: number, job: Job): void {
    try {
      this.#pool.begin(id, { type: 'start', id, job });
    } catch (error) {
      call.onDeath(toDfpeerError(error, 'DFP_INTERNAL', 'starting a fetch thread'));
    }
  }

  #onReport(report: ThreadReport): void {
    if (report.type !== 'trouble') return this.#calls.get(report.id)?.onReport(report);
    const { message } = report;
    if (!this.#troubles.has(message)) this.#onTrouble(message);
    this.#troubles.add(message);
  }

  #onDeath(jobs: ReadonlySet<number>, cause: Error): void {
    const error = whyDied(cause);
    for (const id of jobs) this.#calls.get(id)?.onDeath(error);
  }
}

type CallRequest = Pick<FetchCommon, 'signal' | 'timeoutMs' | 'onProgress' | 'blocks'> &
  Partial<Pick<OriginStreamRequest, 'idleTimeoutMs' | 'onPiece'>> & { budgets?: readonly ByteBudget[] };

/** Threads load their program when they start, which may be long after the daemon did. */
function whyDied(cause: Error): DfpeerError {
  const code = codeOf(cause);
  const isGone = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND' || cause instanceof SyntaxError;
  if (!isGone) return new DfpeerError('DFP_INTERNAL', `a fetch thread died: ${cause.message}`, { cause });
  const [what = ''] = cause.message.split('\n');
  const text = `the program of this dfdaemon was removed or replaced while it runs (${what}); restart it`;
  return new DfpeerError('DFP_PROGRAM_GONE', text, { cause });
}

function checkSlice<T extends CallRequest>(length: number, request: T): T {
  const blockLength = request.blocks?.blockLength ?? length;
  const isPossible = [length, blockLength].every((bytes) => Number.isSafeInteger(bytes) && bytes > 0);
  if (isPossible) return request;
  const text = `a piece of ${length} bytes cannot be fetched in blocks of ${blockLength}`;
  throw new UsageError(text, undefined, 'DFP_INVALID_ARGUMENT');
}
