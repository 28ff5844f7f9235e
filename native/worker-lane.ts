import { Worker } from 'node:worker_threads';
import { atExit } from './at-exit.js';
import type { WorkerInput } from './engine-worker.js';
import { EngineError } from './errors.js';
import type { FdWatcher, Libc } from './libc.js';
import { EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC } from './linux-abi.js';
import type { LoopDescriptors, LoopOptions } from './send-loop.js';
import { SlotTable } from './slot-table.js';
import type { SlotRequest, SlotResult } from './slot-table.js';
import { checked } from './syscall-error.js';
import { WakeUp } from './wake-up.js';

/**
 * Memory of a worker in MiB: it holds a small object a transfer. A small young generation keeps it cheap to collect; for its code V8
 * would reserve 512 MiB of addresses (`ulimit -v`).
 */
const WORKER_MEMORY = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4, codeRangeSizeMb: 32 };

/** How long a process that exits waits for a worker that is still starting. It takes some 50 ms on an idle machine, over 500 on one with work for many. */
const MAX_START_WAIT_MS = 2000;

export interface LaneOptions extends LoopOptions {
  slots: number;
  spawnWorker: (input: WorkerInput) => Worker;
}

/** Why a worker is no more, and whether it can have touched its jobs. */
export interface WorkerDeath {
  error: EngineError;
  started: boolean;
}

/** A transfer as its lane sees it. */
export interface LaneJob {
  /** The worker touches nothing of this job any more. */
  onFinished(result: SlotResult, sent: number, headSent: number): void;
  onWorkerDied(death: WorkerDeath, sent: number, headSent: number): void;
}

export interface LaneEvents {
  /** After some jobs have finished, so that there is room for others. */
  onRoom(): void;
  /** The worker ended unasked; its jobs are told after this. */
  onDeath(lane: WorkerLane): void;
}

/** Starts the worker of this module. */
export function spawnEngineWorker(input: WorkerInput): Worker {
  return new Worker(new URL('./engine-worker.js', import.meta.url), {
    workerData: input,
    name: 'sendfile-engine',
    execArgv: [],
    resourceLimits: WORKER_MEMORY,
  });
}

/** One worker with all that belongs to it: shared memory, descriptors, and the jobs in its slots. */
export class WorkerLane {
  readonly #libc: Libc;
  readonly #events: LaneEvents;
  readonly #table: SlotTable;
  readonly #jobs: (LaneJob | undefined)[];
  readonly #free: number[];
  readonly #descriptors: LoopDescriptors;
  readonly #workerWakeUp: WakeUp;
  readonly #ownWakeUp: WakeUp;
  readonly #watcher: FdWatcher;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #forgetExit: () => void;
  #closing = false;
  #cause: unknown;

  /** @throws SyscallError when there is no descriptor left for it (EMFILE) */
  constructor(libc: Libc, options: LaneOptions, events: LaneEvents) {
    this.#libc = libc;
    this.#events = events;
    this.#table = new SlotTable(options.slots);
    this.#jobs = new Array<LaneJob | undefined>(options.slots);
    this.#free = Array.from({ length: options.slots }, (_, index) => options.slots - 1 - index);
    const descriptors = openDescriptors(libc);
    this.#descriptors = descriptors;
    this.#workerWakeUp = new WakeUp(libc, descriptors.commands, this.#table.flags, SlotTable.workerArmed);
    this.#ownWakeUp = new WakeUp(libc, descriptors.finished, this.#table.flags, SlotTable.mainArmed);
    this.#ownWakeUp.arm();
    this.#watcher = libc.watchReadable(descriptors.finished, () => this.#collect());
    this.#watcher.unref();
    try {
      this.#worker = options.spawnWorker({
        memory: this.#table.memory,
        capacity: options.slots,
        descriptors,
        options: { quantumBytes: options.quantumBytes, prefetchBytes: options.prefetchBytes },
      });
    } catch (thrown) {
      this.#release();
      throw thrown;
    }
    this.#worker.unref();
    this.#worker.on('error', (error) => (this.#cause = error));
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#onExit();
        resolve();
      });
    });
    this.#forgetExit = atExit(() => this.#onProcessExit());
  }

  /** Jobs in its slots. */
  get load(): number {
    return this.#table.capacity - this.#free.length;
  }

  get hasRoom(): boolean {
    return this.#free.length > 0;
  }

  /** Hands a job to the worker; returns its slot. There must be room. */
  start(job: LaneJob, request: SlotRequest): number {
    const slot = this.#free.pop();
    if (slot === undefined) throw new RangeError('no slot is free');
    if (this.load === 1) this.#watcher.ref();
    this.#jobs[slot] = job;
    this.#table.pushStart(slot, request);
    this.#workerWakeUp.signal();
    return slot;
  }

  stop(slot: number): void {
    this.#table.pushStop(slot);
    this.#workerWakeUp.signal();
  }

  sent(slot: number): number {
    return this.#table.sent(slot);
  }

  /** Ends the worker. Jobs should have finished before. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#requestShutdown();
    await this.#ended;
  }

  /** A thread inside a syscall can't be terminated: without this, the process would wait for it at its end. */
  #onProcessExit(): void {
    this.#requestShutdown();
    // A thread that is terminated while it loads koffi takes the process down with SIGABRT.
    this.#table.waitUntilStarted(MAX_START_WAIT_MS);
  }

  #requestShutdown(): void {
    this.#worker.ref();
    this.#table.requestShutdown();
    this.#workerWakeUp.signal();
  }

  #collect(): void {
    this.#ownWakeUp.drain();
    this.#settleFinished();
    this.#ownWakeUp.arm();
    // What finished before arming was not signalled.
    this.#settleFinished();
    this.#events.onRoom();
  }

  #settleFinished(): void {
    for (let slot = this.#table.popFinished(); slot !== undefined; slot = this.#table.popFinished()) {
      const job = this.#jobs[slot];
      const result = this.#table.result(slot);
      const sent = this.#table.sent(slot);
      const headSent = this.#table.headSent(slot);
      this.#jobs[slot] = undefined;
      this.#free.push(slot);
      if (this.load === 0) this.#watcher.unref();
      job?.onFinished(result, sent, headSent);
    }
  }

  #onExit(): void {
    this.#settleFinished();
    this.#forgetExit();
    this.#release();
    if (!this.#closing) this.#events.onDeath(this);
    const death = this.#explainDeath();
    for (const [slot, job] of this.#jobs.entries()) {
      if (job === undefined) continue;
      this.#jobs[slot] = undefined;
      job.onWorkerDied(death, this.#table.sent(slot), this.#table.headSent(slot));
    }
  }

  #explainDeath(): WorkerDeath {
    const { started } = this.#table;
    const text = `the sendfile worker ${started ? 'ended under a transfer' : 'could not be started'}`;
    return { error: new EngineError('ERR_ENGINE_WORKER_DIED', text, { cause: this.#cause }), started };
  }

  #release(): void {
    this.#watcher.close();
    for (const fd of Object.values(this.#descriptors) as number[]) this.#libc.close(fd);
  }
}

function openDescriptors(libc: Libc): LoopDescriptors {
  const opened: number[] = [];
  const open = (syscall: string, fd: number): number => {
    if (fd < 0) for (const earlier of opened) libc.close(earlier);
    opened.push(checked(syscall, fd, 'starting a sendfile worker'));
    return fd;
  };
  return {
    epoll: open('epoll_create1', libc.epollCreate(EPOLL_CLOEXEC)),
    commands: open('eventfd', libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
    finished: open('eventfd', libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
  };
}
