import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { DuplicatedFd } from './duplicated-fd.js';
import {
  checkEngineOptions,
  DEFAULT_INLINE_BYTES,
  DEFAULT_MAX_ENGINE_QUEUE,
  DEFAULT_PREFETCH_BYTES,
  DEFAULT_PROGRESS_INTERVAL_MS,
  DEFAULT_QUANTUM_BYTES,
  type EngineOptions,
} from './engine-options.js';
import { EngineTransfer } from './engine-transfer.js';
import { EngineError, NativeError } from './errors.js';
import type { Libc } from './libc.js';
import { loadLibc } from './load-libc.js';
import { PageCache } from './page-cache.js';
import { ProgressTicker } from './progress-ticker.js';
import { SendState } from './send-state.js';
import type { SendStep } from './send-state.js';
import { MAX_HEAD_BYTES, SLOTS_PER_WORKER } from './slot-table.js';
import { socketFd } from './socket-fd.js';
import { SyscallError } from './syscall-error.js';
import type { SendFileOptions, SendFileResult, Transfer, TransferEngine, TransferFile } from './transfer.js';
import { spawnEngineWorker, WorkerLane } from './worker-lane.js';
import type { LaneOptions } from './worker-lane.js';

/** Workers that may die one after the other, no transfer finishing in between, before the engine rests. */
export const MAX_WORKER_DEATHS_IN_A_ROW = 5;
/** How long it then starts none, or none beside others when one could not be started: what they lacked may be there again. */
export const WORKER_REST_MS = 60_000;

/** Counters since the engine was made, except `queued` and `workers`, which are now. */
export interface EngineStats {
  workers: number;
  queued: number;
  /** Transfers that ended on the main thread at once, whatever their outcome. */
  inlineTransfers: number;
  /** Transfers that went to a worker. */
  workerTransfers: number;
  workerDeaths: number;
}

/** The transfer engine: sendfile(2) from open files to sockets, without ever blocking the main thread. */
export class SendFileEngine implements TransferEngine {
  readonly #libc: Libc;
  readonly #pageCache: PageCache;
  readonly #maxWorkers: number;
  readonly #inlineBytes: number;
  readonly #quantumBytes: number;
  readonly #maxQueued: number;
  readonly #laneOptions: LaneOptions;
  readonly #nowMs: () => number;
  readonly #ticker: ProgressTicker;
  readonly #lanes = new Set<WorkerLane>();
  readonly #queue = new Set<EngineTransfer>();
  readonly #active = new Set<EngineTransfer>();
  readonly #stats = { inlineTransfers: 0, workerTransfers: 0, workerDeaths: 0 };
  #deathsInARow = 0;
  #restsUntilMs = 0;
  #makesDoUntilMs = 0;
  #closing: Promise<void> | undefined;

  /**
   * @throws RangeError for an option out of range
   * @throws EngineError ERR_NATIVE_UNAVAILABLE; nativeSupport() tells beforehand
   */
  constructor(options: EngineOptions = {}) {
    checkEngineOptions(options);
    const load = loadLibc();
    if (!load.available) throw new EngineError('ERR_NATIVE_UNAVAILABLE', load.reason);
    this.#libc = load.libc;
    this.#pageCache = new PageCache(load.libc);
    this.#maxWorkers = options.workers ?? Math.max(1, Math.floor(availableParallelism() / 2));
    this.#inlineBytes = options.inlineBytes ?? DEFAULT_INLINE_BYTES;
    this.#quantumBytes = options.quantumBytes ?? DEFAULT_QUANTUM_BYTES;
    this.#maxQueued = options.maxQueuedTransfers ?? DEFAULT_MAX_ENGINE_QUEUE;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#ticker = new ProgressTicker(options.progressIntervalMs ?? DEFAULT_PROGRESS_INTERVAL_MS);
    this.#laneOptions = {
      slots: options.slotsPerWorker ?? SLOTS_PER_WORKER,
      quantumBytes: this.#quantumBytes,
      prefetchBytes: options.prefetchBytes ?? DEFAULT_PREFETCH_BYTES,
      spawnWorker: options.spawnWorker ?? spawnEngineWorker,
    };
  }

  get activeTransfers(): number {
    return this.#active.size;
  }

  get stats(): EngineStats {
    return { ...this.#stats, workers: this.#lanes.size, queued: this.#queue.size };
  }

  async sendFile(socket: Socket, file: TransferFile, options: SendFileOptions): Promise<SendFileResult> {
    return this.start(socket, file, options).done;
  }

  start(socket: Socket, file: TransferFile, options: SendFileOptions): Transfer {
    checkOptions(socket, file, options);
    if (this.#closing !== undefined) {
      return refused(new EngineError('ERR_ENGINE_CLOSED', 'the transfer engine is closed'));
    }
    if (options.signal?.aborted === true) return settled({ bytesSent: 0, headBytesSent: 0, outcome: 'stopped' });
    try {
      const outputFd = socketFd(socket);
      if (outputFd === undefined) return settled({ bytesSent: 0, headBytesSent: 0, outcome: 'closed' });
      return this.#startOn(socket, outputFd, file, options);
    } catch (thrown) {
      if (thrown instanceof NativeError) return refused(thrown);
      throw thrown;
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const running = [...this.#active];
    for (const transfer of running) transfer.stop();
    await Promise.all(running.map((transfer) => transfer.done));
    await Promise.all([...this.#lanes].map((lane) => lane.close()));
    this.#lanes.clear();
  }

  #startOn(socket: Socket, outputFd: number, file: TransferFile, options: SendFileOptions): Transfer {
    const { offset, length, head } = options;
    const state = new SendState({ outputFd, inputFd: file.fd, offset, length, sent: 0, head, headSent: 0 });
    const step = this.#sendInline(state, options.inlineBytes ?? this.#inlineBytes);
    if (step !== 'more' && step !== 'wait') {
      this.#stats.inlineTransfers++;
      return settled(resultOf(state, step));
    }
    try {
      return this.#enqueue(socket, new DuplicatedFd(this.#libc, outputFd), state, options);
    } catch (thrown) {
      return settled({ ...resultOf(state, 'unsupported'), error: asNativeError(thrown) });
    }
  }

  /** Short and in memory already: two syscalls now cost less than waking a worker and being woken by it. */
  #sendInline(state: SendState, maxBytes: number): SendStep {
    if (state.length > maxBytes) return 'more';
    if (!this.#pageCache.resident(state.inputFd, state.offset, state.length)) return 'more';
    return state.step(this.#libc, maxBytes);
  }

  #enqueue(socket: Socket, duplicate: DuplicatedFd, state: SendState, options: SendFileOptions): Transfer {
    const transfer = new EngineTransfer(socket, duplicate, state, options, this.#owner);
    this.#active.add(transfer);
    if (transfer.hasProgress) this.#ticker.add(transfer);
    if (this.#queue.size >= this.#maxQueued) {
      transfer.refuse(new EngineError('ERR_ENGINE_OVERLOADED', `${this.#maxQueued} transfers are waiting already`));
      return transfer;
    }
    this.#queue.add(transfer);
    this.#dispatch();
    return transfer;
  }

  readonly #owner = {
    onLeftQueue: (transfer: EngineTransfer): void => {
      this.#queue.delete(transfer);
    },
    onSettled: (transfer: EngineTransfer, workerFinished: boolean): void => {
      if (workerFinished) this.#deathsInARow = 0;
      if (transfer.hasProgress) this.#ticker.remove(transfer);
      this.#active.delete(transfer);
    },
  };

  readonly #laneEvents = {
    onRoom: (): void => this.#dispatch(),
    onDeath: (lane: WorkerLane): void => {
      this.#lanes.delete(lane);
      this.#stats.workerDeaths++;
      if (++this.#deathsInARow >= MAX_WORKER_DEATHS_IN_A_ROW) this.#restsUntilMs = this.#nowMs() + WORKER_REST_MS;
      // The dead lane's own transfers settle first.
      process.nextTick(() => this.#dispatch());
    },
  };

  /** Moves transfers from the queue to lanes, as far as there is room. */
  #dispatch(): void {
    for (const transfer of this.#queue) {
      try {
        const lane = this.#chooseLane();
        if (lane === undefined) return;
        this.#queue.delete(transfer);
        this.#stats.workerTransfers++;
        transfer.enter(lane);
      } catch (thrown) {
        this.#queue.delete(transfer);
        transfer.refuse(asNativeError(thrown));
      }
    }
  }

  /** The lane with the least to do; a new one while all have something to do and there may be more. */
  #chooseLane(): WorkerLane | undefined {
    let least: WorkerLane | undefined;
    for (const lane of this.#lanes) {
      if (lane.hasRoom && (least === undefined || lane.load < least.load)) least = lane;
    }
    if (least?.load === 0 || this.#lanes.size >= this.#maxWorkers) return least;
    if (least !== undefined && this.#nowMs() < this.#makesDoUntilMs) return least;
    try {
      return this.#addLane();
    } catch (thrown) {
      if (least === undefined) throw thrown;
      // Where the system gives no more threads or descriptors, the workers that run do all the work; each attempt costs a millisecond.
      this.#makesDoUntilMs = this.#nowMs() + WORKER_REST_MS;
      return least;
    }
  }

  /** @throws EngineError, SyscallError, or what the thread could not be started for */
  #addLane(): WorkerLane {
    if (this.#deathsInARow >= MAX_WORKER_DEATHS_IN_A_ROW && this.#nowMs() < this.#restsUntilMs) {
      throw new EngineError(
        'ERR_ENGINE_WORKER_DIED',
        `${this.#deathsInARow} sendfile workers died one after the other`,
      );
    }
    const lane = new WorkerLane(this.#libc, this.#laneOptions, this.#laneEvents);
    this.#lanes.add(lane);
    return lane;
  }
}

function checkOptions(socket: Socket, file: TransferFile, { offset, length, head }: SendFileOptions): void {
  const checkLength = (name: string, value: number): void => {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${name} ${value} is not a safe byte count`);
  };
  checkLength('offset', offset);
  checkLength('length', length);
  checkLength('offset + length', offset + length);
  checkLength('file.fd', file.fd);
  if (head !== undefined && head.byteLength > MAX_HEAD_BYTES) {
    throw new RangeError(`a head of ${head.byteLength} bytes is longer than ${MAX_HEAD_BYTES}`);
  }
  if (socket.writableLength > 0) {
    const text = `${socket.writableLength} bytes are pending in the socket's write buffer: wait for 'drain' first`;
    throw new EngineError('ERR_SOCKET_BUSY', text);
  }
}

function resultOf(state: SendState, outcome: SendFileResult['outcome']): SendFileResult {
  const result: SendFileResult = { bytesSent: state.sent, headBytesSent: state.headSent, outcome };
  if (state.errno !== 0) result.error = new SyscallError(state.syscall, state.errno, 'sending a file');
  return result;
}

function refused(error: NativeError): Transfer {
  return settled({ bytesSent: 0, headBytesSent: 0, outcome: 'unsupported', error });
}

/** A transfer that is over. */
function settled(result: SendFileResult): Transfer {
  return { bytesSent: result.bytesSent, done: Promise.resolve(result), stop: () => undefined };
}

function asNativeError(thrown: unknown): NativeError {
  if (thrown instanceof NativeError) return thrown;
  return new EngineError('ERR_ENGINE_WORKER_DIED', 'a sendfile worker could not be started', { cause: thrown });
}
