import type { ByteBudget } from '../../core/byte-budget.js';
import type { Clock } from '../../core/clock.js';
import { abortReason } from '../../core/deadline.js';
import { AbortedError, DfpeerError, toDfpeerError } from '../../core/errors.js';
import { NestedBudget } from '../../bandwidth/nested-budget.js';
import { packError, unpackError } from './error-message.js';
import { PausableDeadline } from './pausable-deadline.js';
import type { JobReport, JobResult, ThreadOrder, ThreadReport } from './messages.js';
import type { BlocksRequest, FetchedPiece } from './piece-fetcher.js';
import type { ThreadPool } from './thread-pool.js';

/** A thread that has not answered this long after the job's own deadline hangs, and is ended. */
export const THREAD_GRACE_MS = 30_000;

export interface FetchCallOptions {
  id: number;
  pool: ThreadPool<ThreadOrder, ThreadReport>;
  signal: AbortSignal;
  timeoutMs: number;
  budgets: readonly ByteBudget[];
  onProgress?: (bytes: number) => void;
  blocks?: BlocksRequest | undefined;
  onPiece?: (piece: FetchedPiece) => Promise<void>;
  clock: Clock;
}

/** The main thread's side of one job: spends budgets for it, passes pieces on, and settles once the thread let go of it. */
export class FetchCall {
  /** Settles when nothing is written for this job any more. */
  readonly result: Promise<JobResult>;
  readonly #options: FetchCallOptions;
  readonly #budget: NestedBudget;
  readonly #leases = new AbortController();
  readonly #onAbort = (): void => this.abort(abortReason(this.#options.signal, 'a fetch'));
  /** Even a thread that hangs must not make its callers hang; ending it settles all its jobs. */
  #watchdog: PausableDeadline;
  #resolve: (result: JobResult) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #granted = 0;
  /** Why it was aborted from here: what the caller gets, whatever the thread makes of it. */
  #abortedBy: Error | undefined;

  constructor(options: FetchCallOptions) {
    this.#options = options;
    this.#budget = new NestedBudget(options.budgets);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#watchdog = this.#watch(options.timeoutMs + THREAD_GRACE_MS);
  }

  /** Asks the thread to stop; `result` rejects with the error once it has. The first reason counts. */
  abort(reason: Error): void {
    if (this.#abortedBy !== undefined) return;
    this.#abortedBy = reason;
    this.#watchdog.cancel();
    this.#watchdog = this.#watch(THREAD_GRACE_MS);
    const { id, pool } = this.#options;
    pool.send(id, { type: 'abort', id, error: packError(toDfpeerError(reason, 'DFP_ABORTED')) });
  }

  onReport(report: JobReport): void {
    switch (report.type) {
      case 'progress':
        return this.#callBack(() => this.#options.onProgress?.(report.bytes));
      case 'block':
        return this.#callBack(() => this.#options.blocks?.onBlock(report.sum));
      case 'want-lease':
        return void this.#lease(report.bytes);
      case 'piece':
        return void this.#deliver(report.piece);
      case 'done':
        this.#settle(report.spent);
        return this.#resolve(report.result);
      case 'failed':
        this.#settle(report.spent);
        return this.#reject(this.#abortedBy ?? unpackError(report.error));
    }
  }

  onDeath(error: DfpeerError): void {
    // Nobody knows what the thread had received: better charged twice than moved for nothing.
    this.#settle(this.#granted);
    this.#reject(this.#abortedBy ?? error);
  }

  async #lease(wanted: number): Promise<void> {
    const watchdog = this.#watchdog;
    watchdog.pause();
    try {
      const bytes = await this.#budget.take(wanted, this.#leases.signal);
      if (this.#leases.signal.aborted) return this.#budget.giveBack(bytes);
      this.#granted += bytes;
      this.#options.pool.send(this.#options.id, { type: 'grant', id: this.#options.id, bytes });
    } catch (error) {
      if (!this.#leases.signal.aborted) this.abort(toDfpeerError(error));
    } finally {
      watchdog.resume();
    }
  }

  async #deliver(piece: FetchedPiece): Promise<void> {
    const watchdog = this.#watchdog;
    watchdog.pause();
    try {
      await this.#options.onPiece?.(piece);
      this.#options.pool.send(this.#options.id, { type: 'piece-accepted', id: this.#options.id });
      watchdog.restart();
    } catch (error) {
      this.abort(toDfpeerError(error));
    } finally {
      watchdog.resume();
    }
  }

  #callBack(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.abort(toDfpeerError(error));
    }
  }

  #settle(spent: number): void {
    this.#watchdog.cancel();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#leases.abort(new AbortedError('a lease'));
    if (this.#granted > spent) this.#budget.giveBack(this.#granted - spent);
  }

  #watch(delayMs: number): PausableDeadline {
    const { clock, pool, id } = this.#options;
    return new PausableDeadline(clock, delayMs, () => {
      // Writing is all that can block a thread.
      const text = `a fetch thread has not answered for ${delayMs} ms and is ended; look at the disk's health and load`;
      this.#abortedBy ??= new DfpeerError('DFP_STORE_IO', text);
      void pool.kill(id);
    });
  }
}
