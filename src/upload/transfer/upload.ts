import type { Socket } from 'node:net';
import type { ByteBudget } from '../../core/byte-budget.js';
import type { ByteRange } from '../../core/piece.js';
import { AbortedError } from '../../core/errors.js';
import type { UploadAllowance } from '../upload-limits.js';
import type { ServedTask } from '../piece-source.js';
import type { RouteChoice, TransferFallbackReason } from '../route.js';
import type { Segment, SegmentEnd } from './segment.js';

export type UploadProtocol = 'http' | 'vortex';

/** Label `result` of the upload metrics. */
export type UploadResult =
  | 'complete'
  | 'client-closed'
  | 'timed-out' // the client took too little for too long
  | 'file-error' // the stored file could not be read
  | 'engine-error' // the transfer engine broke in the middle
  | 'stopped'; // we were told to end

export interface UploadSpec {
  protocol: UploadProtocol;
  socket: Socket;
  /** Goes out before the first byte, in one segment with it where the route can. */
  head: Uint8Array;
  /** Must stay pinned until the upload settles. */
  task: ServedTask;
  /** Not empty, and stored. */
  range: ByteRange;
  childIp: string;
  childPeerId: string;
  /** The span on the child's side, where it said so (W3C Trace Context). */
  traceParent?: string | undefined;
}

export interface UploadOutcome {
  result: UploadResult;
  /** Of the last segment. */
  choice: RouteChoice;
  bytesSent: number;
  durationMs: number;
  /** Of `file-error` and `engine-error`, or why the engine gave up. */
  error: Error | undefined;
}

/** What an upload needs of its surroundings. */
export interface UploadHost {
  choose(socket: Socket, fallback: TransferFallbackReason | undefined): RouteChoice;
  runRoute(choice: RouteChoice, segment: Segment): Promise<SegmentEnd>;
  allow(spec: UploadSpec): UploadAllowance;
  countBytes(protocol: UploadProtocol, choice: RouteChoice, bytes: number): void;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  monotonicMs(): number;
}

const NOTHING = new Uint8Array(0);

/** One range on its way to one client, by whichever routes until it is there. */
export class Upload implements Segment {
  readonly spec: UploadSpec;
  /** When it began, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  onInterrupt: (() => void) | undefined;
  waitingForBudget = false;
  inFlight: (() => number) | undefined;
  head: Uint8Array;
  budget: ByteBudget | undefined;
  readonly #host: UploadHost;
  readonly #startedMs: number;
  #choice: RouteChoice;
  #movedBytes = 0;
  #countedInFlight = 0;
  #rerouteWanted = false;
  #fallback: TransferFallbackReason | undefined;
  #result: UploadResult | undefined;
  #error: Error | undefined;
  #allowance: UploadAllowance | undefined;
  #abort: AbortController | undefined;
  #progressBytes = 0;
  #idleChecks = 0;

  constructor(spec: UploadSpec, host: UploadHost) {
    this.spec = spec;
    this.head = spec.head;
    this.#host = host;
    this.sinceMs = host.now();
    this.#startedMs = host.monotonicMs();
    this.#choice = host.choose(spec.socket, undefined);
  }

  get socket(): Socket {
    return this.spec.socket;
  }

  get file(): { readonly fd: number } {
    return this.spec.task.file;
  }

  get offset(): number {
    return this.spec.range.offset + this.#movedBytes;
  }

  get left(): number {
    return this.spec.range.length - this.#movedBytes;
  }

  get interrupted(): boolean {
    return this.#rerouteWanted || this.#result !== undefined;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#result !== undefined) this.#abort.abort(new AbortedError('an upload'));
    return this.#abort.signal;
  }

  get choice(): RouteChoice {
    return this.#choice;
  }

  /** Bytes of the range that the socket took so far. */
  get bytesSent(): number {
    return this.#movedBytes + (this.inFlight?.() ?? 0);
  }

  /** Sends the range. Never rejects; once. */
  async run(): Promise<UploadOutcome> {
    const { socket } = this.spec;
    const onClose = (): void => this.stop('client-closed');
    socket.on('close', onClose);
    if (socket.destroyed) this.stop('client-closed');
    while (this.#result === undefined) {
      if (this.#choice.limited) this.#allowance ??= this.#host.allow(this.spec);
      this.budget = this.#choice.limited ? this.#allowance?.budget : undefined;
      this.#leaveSegment(await this.#host.runRoute(this.#choice, this));
    }
    socket.off('close', onClose);
    this.#allowance?.release();
    return {
      result: this.#result,
      choice: this.#choice,
      bytesSent: this.#movedBytes,
      durationMs: this.#host.monotonicMs() - this.#startedMs,
      error: this.#error,
    };
  }

  /** Ends it as soon as nothing touches the socket any more; the connection is of no use after that. */
  stop(result: Extract<UploadResult, 'client-closed' | 'timed-out' | 'stopped'>): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    this.#abort?.abort(new AbortedError('an upload'));
    this.onInterrupt?.();
    this.spec.socket.destroy();
  }

  /** Asks to go on by another route, if the choice is another one now. */
  reconsider(): void {
    const next = this.#host.choose(this.spec.socket, this.#fallback);
    const { route, reason, limited } = this.#choice;
    const same = next.route === route && next.reason === reason && next.limited === limited;
    if (same || this.#result !== undefined) return;
    this.#rerouteWanted = true;
    this.onInterrupt?.();
  }

  /**
   * Counts what a running sendfile has sent, and says at how many checks in a row the client had taken too little. Not for how long:
   * a process that was starved or stopped itself must not take it for its clients' fault.
   */
  checkProgress(minBytes: number): number {
    const sent = this.bytesSent;
    const fresh = this.#movedBytes + this.#countedInFlight;
    if (sent > fresh) {
      this.#countedInFlight += sent - fresh;
      this.#host.countBytes(this.spec.protocol, this.#choice, sent - fresh);
    }
    this.#idleChecks += 1;
    if (this.waitingForBudget || sent - this.#progressBytes >= minBytes) {
      this.#progressBytes = sent;
      this.#idleChecks = 0;
    }
    return this.#idleChecks;
  }

  moved(bytes: number): void {
    this.#movedBytes += bytes;
    const uncounted = bytes - this.#countedInFlight;
    this.#countedInFlight = 0;
    if (uncounted > 0) this.#host.countBytes(this.spec.protocol, this.#choice, uncounted);
  }

  movedHead(bytes: number): void {
    this.head = bytes >= this.head.length ? NOTHING : this.head.subarray(bytes);
  }

  #leaveSegment(end: SegmentEnd): void {
    if (end.kind === 'unsupported') this.#fallback = 'unsupported-file';
    if (end.kind === 'engine-failed') this.#fallback = 'engine-failed';
    if ('error' in end) this.#error = end.error;
    if (this.#result !== undefined) return;
    this.#rerouteWanted = false;
    if (end.kind === 'complete') this.#result = 'complete';
    if (end.kind === 'closed') this.#result = 'client-closed';
    if (end.kind === 'file-error') this.#result = 'file-error';
    if (end.kind === 'broken') this.#result = 'engine-error';
    if (end.kind === 'refused') this.#result = 'stopped';
    if (this.#result === undefined) this.#choice = this.#host.choose(this.spec.socket, this.#fallback);
  }
}
