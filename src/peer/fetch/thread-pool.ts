import { Worker } from 'node:worker_threads';
import type { Clock } from '../../core/clock.js';
import { asError, DfpeerError } from '../../core/errors.js';

export interface ThreadPoolOptions<Report> {
  entry: URL;
  /** Handed to each thread at its start. */
  data: unknown;
  /** At most this many threads; they start when there is work for them. */
  size: number;
  onReport: (report: Report) => void;
  /** A thread has ended that was not told to; `jobs` are those that it leaves unfinished. */
  onDeath: (jobs: ReadonlySet<number>, cause: Error) => void;
  clock: Clock;
}

interface PoolThread {
  worker: Worker;
  jobs: Set<number>;
  /** Of the timer that ends it when it has had no work for long. */
  stopEnding: () => void;
}

/** A thread without work for this long ends, unless it is the last: each takes some 20 MiB. */
export const IDLE_THREAD_TIMEOUT_MS = 30_000;
/**
 * Of a thread, in MiB. What it handles lies in buffers outside; a small young generation is collected before it grows resident. For code V8
 * would reserve 512 MiB of addresses (`ulimit -v`).
 */
const THREAD_MEMORY = { maxYoungGenerationSizeMb: 8, codeRangeSizeMb: 64 };

/** A thread in a system call that never returns can't be ended: after this long its jobs are given up all the same. */
export const THREAD_END_TIMEOUT_MS = 10_000;

/** Threads that get jobs by number, the least busy first; one that dies is replaced when there is work again. */
export class ThreadPool<Order, Report> {
  readonly #options: ThreadPoolOptions<Report>;
  readonly #threads = new Set<PoolThread>();
  readonly #threadOf = new Map<number, PoolThread>();

  constructor(options: ThreadPoolOptions<Report>) {
    this.#options = options;
  }

  get threadCount(): number {
    return this.#threads.size;
  }

  /** Gives a job to a thread. While a thread has jobs it keeps the process alive. @throws DFP_LIMIT when there is none and none can be had */
  begin(job: number, order: Order): void {
    const thread = this.#leastBusy();
    thread.stopEnding();
    if (thread.jobs.size === 0) thread.worker.ref();
    thread.jobs.add(job);
    this.#threadOf.set(job, thread);
    thread.worker.postMessage(order);
  }

  /** Starts a thread, if there is none; it does not keep the process alive. @throws DFP_LIMIT */
  warmUp(): void {
    if (this.#threads.size === 0) this.#startThread().worker.unref();
  }

  /** A message about a job to the thread that has it. */
  send(job: number, order: Order): void {
    this.#threadOf.get(job)?.worker.postMessage(order);
  }

  /** The job's thread has nothing to do with it any more. */
  end(job: number): void {
    const thread = this.#threadOf.get(job);
    this.#threadOf.delete(job);
    thread?.jobs.delete(job);
    if (thread?.jobs.size !== 0) return;
    thread.worker.unref();
    const { clock } = this.#options;
    thread.stopEnding();
    thread.stopEnding = clock.after(IDLE_THREAD_TIMEOUT_MS, () => this.#endIdle(thread), { unref: true });
  }

  /** Ends the job's thread by force; its jobs are reported to onDeath once it has ended, or does not end. */
  async kill(job: number): Promise<void> {
    const thread = this.#threadOf.get(job);
    if (thread === undefined) return;
    const { clock } = this.#options;
    const cancel = clock.after(THREAD_END_TIMEOUT_MS, () => this.#bury(thread, new Error('it does not end')));
    await thread.worker.terminate();
    cancel();
  }

  /** Ends all threads, whatever they do. */
  async close(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  #endIdle(thread: PoolThread): void {
    if (thread.jobs.size > 0 || this.#threads.size < 2) return;
    // From here on it gets no jobs.
    this.#threads.delete(thread);
    thread.worker.terminate().catch(() => undefined);
  }

  #leastBusy(): PoolThread {
    const [least] = [...this.#threads].sort((a, b) => a.jobs.size - b.jobs.size);
    if (least === undefined) return this.#startThread();
    if (least.jobs.size === 0 || this.#threads.size >= this.#options.size) return least;
    try {
      return this.#startThread();
    } catch {
      // Where the system gives no more of them, those that run do all the work.
      return least;
    }
  }

  #startThread(): PoolThread {
    const worker = this.#startWorker();
    const thread: PoolThread = { worker, jobs: new Set(), stopEnding: () => undefined };
    this.#threads.add(thread);
    worker.on('message', this.#options.onReport);
    let cause = new Error('it was terminated');
    worker.on('error', (error: unknown) => (cause = asError(error)));
    worker.on('exit', () => this.#bury(thread, cause));
    return thread;
  }

  #startWorker(): Worker {
    try {
      const { entry, data: workerData } = this.#options;
      return new Worker(entry, { workerData, name: 'fetch', resourceLimits: THREAD_MEMORY });
    } catch (cause) {
      const text = `can't start a thread (${asError(cause).message}); raise the limit of tasks (TasksMax, ulimit -u)`;
      throw new DfpeerError('DFP_LIMIT', text, { cause });
    }
  }

  #bury(thread: PoolThread, cause: Error): void {
    if (!this.#threads.delete(thread)) return;
    for (const job of thread.jobs) this.#threadOf.delete(job);
    if (thread.jobs.size > 0) this.#options.onDeath(thread.jobs, cause);
  }
}
