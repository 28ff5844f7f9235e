import { status } from '@grpc/grpc-js';
import type { Clock } from '../core/clock.js';
import { abortReason, withDeadline } from '../core/deadline.js';
import { DeadlineError, DfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { IncomingMessage, OutgoingMessage } from './announce-codec.js';
import type { AnnounceCall } from './scheduler-connection.js';
import { callError } from '../grpc/unary-call.js';

/** Reports that wait for a slow scheduler; one more and the stream is given up. */
export const MAX_QUEUED_REPORTS = 16_384;
/** A scheduler that reads nothing for so long is given up, as Dragonfly's client does. */
export const MAX_BLOCKED_MS = 10_000;

export interface AnnounceStreamOptions {
  /** "scheduler 10.0.0.1:8002" */
  name: string;
  clock: Clock;
  logger: Logger;
  onBroken: (error: DfpeerError) => void;
  /** An answer that nobody waits for. */
  onUnasked: (message: IncomingMessage) => void;
}

interface Waiter {
  resolve: (message: IncomingMessage) => void;
  reject: (error: Error) => void;
}

/**
 * One AnnouncePeer call: a bounded queue outwards, one answer at a time inwards. It knows nothing of what the messages mean.
 * It ends once, in one of two ways: `end()` saw the server close it, or it broke.
 */
export class AnnounceStream {
  readonly #call: AnnounceCall;
  readonly #options: AnnounceStreamOptions;
  readonly #queue: OutgoingMessage[] = [];
  #state: 'open' | 'ending' | 'closed' = 'open';
  #broken: DfpeerError | undefined;
  #waiter: Waiter | undefined;
  #staleAnswers = 0;
  /** Undefined while the transport takes messages; else stops the timer of the pause. */
  #resume: (() => void) | undefined;
  #onClosed: () => void = () => undefined;

  constructor(call: AnnounceCall, options: AnnounceStreamOptions) {
    this.#call = call;
    this.#options = options;
    call.on('data', (message: IncomingMessage) => this.#receive(message));
    call.on('drain', () => this.#drained());
    call.on('error', (error) => this.#closed(error));
    call.on('status', ({ code, details }) => {
      if (code === status.OK) this.#closed(undefined, details);
    });
  }

  /** Never blocks and never throws; what can't be sent any more is dropped. */
  send(message: OutgoingMessage): void {
    if (this.#state !== 'open') return;
    if (this.#queue.length >= MAX_QUEUED_REPORTS) {
      const text = `${this.#options.name} is too slow: ${MAX_QUEUED_REPORTS} reports wait for it`;
      this.break(new DfpeerError('DFP_LIMIT', text));
      return;
    }
    this.#queue.push(message);
    this.#pump();
  }

  /** The answer to what was sent last. A deadline breaks the stream: later answers could no longer be told apart. */
  async receive(options: {
    timeoutMs: number;
    waitingFor: string;
    signal?: AbortSignal | undefined;
  }): Promise<IncomingMessage> {
    if (this.#broken !== undefined) throw this.#broken;
    if (options.signal?.aborted === true) {
      this.#staleAnswers++;
      throw abortReason(options.signal, options.waitingFor);
    }
    const answer = new Promise<IncomingMessage>((resolve, reject) => (this.#waiter = { resolve, reject }));
    try {
      return await withDeadline({ ...options, clock: this.#options.clock }, () => answer);
    } catch (error) {
      if (error instanceof DeadlineError) this.break(error);
      else if (this.#waiter !== undefined) this.#staleAnswers++;
      throw error;
    } finally {
      this.#waiter = undefined;
    }
  }

  /**
   * Sends a last message, half-closes, and waits for the server's end, at most `timeoutMs` once everything is written. Resolves with whether
   * that came: only then it has read all.
   */
  async end(message: OutgoingMessage, timeoutMs: number): Promise<boolean> {
    this.send(message);
    if (this.#state !== 'open') return false;
    this.#state = 'ending';
    const closed = new Promise<void>((resolve) => (this.#onClosed = resolve));
    this.#pump();
    const { name, clock } = this.#options;
    // Whatever is still queued may take its time, but no longer than a blocked stream may.
    const bound = timeoutMs + (this.#resume === undefined ? 0 : MAX_BLOCKED_MS);
    try {
      await withDeadline({ waitingFor: `${name} to end the stream`, timeoutMs: bound, clock }, () => closed);
      return this.#broken === undefined;
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'the scheduler did not end a finished stream');
      this.#close();
      this.#call.cancel();
      return false;
    }
  }

  /** Gives the stream up; idempotent. */
  break(error: DfpeerError): void {
    if (this.#state === 'closed') return;
    const wasEnding = this.#state === 'ending';
    this.#close();
    this.#call.cancel();
    this.#fail(error, wasEnding);
  }

  #pump(): void {
    while (this.#resume === undefined && this.#queue.length > 0) {
      const message = this.#queue.shift();
      if (message !== undefined && !this.#call.write(message)) this.#pause();
    }
    if (this.#state === 'ending' && this.#queue.length === 0 && !this.#call.writableEnded) this.#call.end();
  }

  #pause(): void {
    const { clock, name } = this.#options;
    const text = `${name} took no reports for ${MAX_BLOCKED_MS} ms`;
    this.#resume = clock.after(MAX_BLOCKED_MS, () => this.break(new DfpeerError('DFP_STALLED', text)));
  }

  #drained(): void {
    this.#resume?.();
    this.#resume = undefined;
    if (this.#state !== 'closed') this.#pump();
  }

  #receive(message: IncomingMessage): void {
    if (this.#staleAnswers > 0) this.#staleAnswers--;
    else if (this.#waiter === undefined) this.#options.onUnasked(message);
    else {
      this.#waiter.resolve(message);
      this.#waiter = undefined;
    }
  }

  #closed(error: unknown, details = ''): void {
    if (this.#state === 'closed') return;
    const wasEnding = this.#state === 'ending';
    this.#close();
    if (error === undefined && wasEnding) return;
    const { name } = this.#options;
    const codes = { unreachable: 'DFP_SCHEDULER_UNREACHABLE', refused: 'DFP_SCHEDULER_REFUSED' } as const;
    const reason =
      error === undefined
        ? new DfpeerError('DFP_SCHEDULER_REFUSED', `${name} ended the stream before the download did ${details}`.trim())
        : callError(error, codes, `AnnouncePeer to ${name}`);
    this.#fail(reason, wasEnding);
  }

  #fail(error: DfpeerError, wasEnding: boolean): void {
    this.#broken = error;
    this.#waiter?.reject(error);
    this.#waiter = undefined;
    if (wasEnding) this.#options.logger.debug({ err: error }, 'the stream broke while ending');
    this.#options.onBroken(error);
  }

  #close(): void {
    this.#state = 'closed';
    this.#queue.length = 0;
    this.#resume?.();
    this.#resume = undefined;
    this.#onClosed();
  }
}
