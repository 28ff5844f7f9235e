import { type Clock, systemClock } from '../../core/clock.js';
import { abortReason } from '../../core/deadline.js';
import { DeadlineError, DfpeerError } from '../../core/errors.js';
import { PausableDeadline } from './pausable-deadline.js';
import type { BlocksRequest, FetchedPiece } from './piece-fetcher.js';

/** Bytes asked of the budgets at once. */
export const LEASE_STEP = 256 * 1024;
export const PROGRESS_STEP = 1024 * 1024;
export const PROGRESS_INTERVAL_MS = 100;
/** So often is looked whether anything came: what is held up for longer than between two looks counts as no silence. */
const LOOKS_AT_IDLE = 8;

/** What a transfer asks of whoever ordered it. Answers come back through grant() and pieceAccepted(). */
export interface TransferPort {
  requestLease(wanted: number): void;
  reportProgress(bytes: number): void;
  deliverPiece(piece: FetchedPiece): void;
}

export interface TransferOptions {
  /** Who is waited for, as the user should read it: "parent 10.0.0.1:4007". */
  waitingFor: string;
  /** Of a piece, or of each piece of a stream; without the time that we take ourselves for leases and the disk. */
  timeoutMs: number;
  /** Absent: only the total time is bounded. */
  idleTimeoutMs?: number;
  /** Bytes may be read only against leases. */
  metered: boolean;
  reportsProgress: boolean;
  /** Who wants to know of the piece's blocks as they come. */
  blocks?: BlocksRequest | undefined;
  port: TransferPort;
  clock?: Clock;
}

/** One request while it runs: its deadlines, its permission to receive bytes, its progress. */
export class Transfer {
  readonly waitingFor: string;
  readonly metered: boolean;
  readonly blocks: BlocksRequest | undefined;
  readonly startedAtMs: number;
  readonly #options: TransferOptions;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #deadline: PausableDeadline;
  #cancelIdle: () => void = () => undefined;
  #lastByteAtMs: number;
  #bytes = 0;
  #reportedBytes = 0;
  #reportedAtMs: number;
  /** Leased and not spent; negative while bytes that came with the last read are still to be paid. */
  #balance = 0;
  /** Settles the wait for the other side, one at a time; while there is one, silence of the sender is our own doing. */
  #wakeUp: (() => void) | undefined;

  constructor(options: TransferOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.waitingFor = options.waitingFor;
    this.metered = options.metered;
    this.blocks = options.blocks;
    this.startedAtMs = this.#reportedAtMs = this.#lastByteAtMs = this.#clock.monotonicMs();
    const { timeoutMs, waitingFor } = options;
    this.#deadline = new PausableDeadline(this.#clock, timeoutMs, () =>
      this.abort(new DeadlineError(waitingFor, timeoutMs)),
    );
    if (options.idleTimeoutMs !== undefined) this.#watchIdle(options.idleTimeoutMs);
  }

  /** Aborts with a coded error: by a deadline, or by who ordered the transfer. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.startedAtMs;
  }

  /** Bytes of the piece so far. */
  get bytes(): number {
    return this.#bytes;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  throwIfAborted(): void {
    if (this.signal.aborted) throw abortReason(this.signal, this.waitingFor);
  }

  /** The other side showed life without sending bytes of the piece. */
  touch(): void {
    this.#lastByteAtMs = this.#clock.monotonicMs();
  }

  /** Counts bytes of the piece. False: the lease is used up, read no more before permitted(). */
  received(bytes: number): boolean {
    const now = this.#clock.monotonicMs();
    // A head that comes a byte at a time is none of the piece.
    if (bytes > 0) this.#lastByteAtMs = now;
    this.#bytes += bytes;
    if (this.#options.reportsProgress) this.#reportNowAndThen(now);
    if (!this.metered) return true;
    this.#balance -= bytes;
    return this.#balance > 0;
  }

  /**
   * Resolves once all bytes so far are paid and, unless none are expected, there is a lease for more.
   * @param expected bytes still to come, as far as known: no more is leased than they need
   */
  async permitted(expected: number): Promise<void> {
    while (this.metered && (this.#balance < 0 || (this.#balance === 0 && expected > 0))) {
      const wanted = Math.min(LEASE_STEP, expected - this.#balance);
      await this.#askOtherSide(() => this.#options.port.requestLease(wanted));
    }
    this.throwIfAborted();
  }

  /** Answer to requestLease. */
  grant(bytes: number): void {
    this.#balance += bytes;
    this.#wakeUp?.();
  }

  /** Hands a finished piece over and waits until it was taken. */
  async deliver(piece: FetchedPiece): Promise<void> {
    await this.#askOtherSide(() => this.#options.port.deliverPiece(piece));
    this.#deadline.restart();
  }

  /** Answer to deliverPiece. */
  pieceAccepted(): void {
    this.#wakeUp?.();
  }

  /** Stops all timers. Idempotent. */
  close(): void {
    this.#deadline.cancel();
    this.#cancelIdle();
  }

  async #askOtherSide(ask: () => void): Promise<void> {
    this.throwIfAborted();
    this.#deadline.pause();
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        this.signal.removeEventListener('abort', settle);
        this.#wakeUp = undefined;
        this.#deadline.resume();
        this.touch();
        if (this.signal.aborted) reject(abortReason(this.signal, this.waitingFor));
        else resolve();
      };
      this.#wakeUp = settle;
      this.signal.addEventListener('abort', settle, { once: true });
      ask();
    });
  }

  #reportNowAndThen(now: number): void {
    if (this.#bytes - this.#reportedBytes < PROGRESS_STEP && now - this.#reportedAtMs < PROGRESS_INTERVAL_MS) return;
    this.#reportedBytes = this.#bytes;
    this.#reportedAtMs = now;
    this.#options.port.reportProgress(this.#bytes);
  }

  /**
   * One timer at a time looks at the clock, so that a byte costs no timer. While this process was held up (stopped, a paused container) nobody
   * was silent: what came is still to be read.
   */
  #watchIdle(idleTimeoutMs: number): void {
    const silentMs = this.#wakeUp === undefined ? this.#clock.monotonicMs() - this.#lastByteAtMs : 0;
    if (silentMs >= idleTimeoutMs) {
      const text = `no byte for ${idleTimeoutMs} ms from ${this.waitingFor} (${this.#bytes} so far)`;
      return this.abort(new DfpeerError('DFP_STALLED', text));
    }
    const delayMs = Math.min(idleTimeoutMs - silentMs, idleTimeoutMs / LOOKS_AT_IDLE);
    const dueMs = this.#clock.monotonicMs() + delayMs;
    this.#cancelIdle = this.#clock.after(delayMs, () => {
      const nowMs = this.#clock.monotonicMs();
      this.#lastByteAtMs = Math.min(this.#lastByteAtMs + Math.max(0, nowMs - dueMs), nowMs);
      this.#watchIdle(idleTimeoutMs);
    });
  }
}
