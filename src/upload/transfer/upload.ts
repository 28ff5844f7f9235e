import type { Socket } from 'node:net';
import type { ByteBudget } from '../../core/byte-budget.js';
import { BLOCK_SUM_BYTES } from '../../core/piece-blocks.js';
import type { ByteRange } from '../../core/piece.js';
import { AbortedError } from '../../core/errors.js';
import type { UploadAllowance } from '../upload-limits.js';
import type { PieceBlocks, ServedTask } from '../piece-source.js';
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

/** `piece`: of a piece that is still on its way to us no further block is here. */
export type UploadWait = 'client' | 'bandwidth' | 'piece';

export interface UploadSpec {
  protocol: UploadProtocol;
  socket: Socket;
  /** Goes out before the first byte, in one segment with it where the route can. */
  head: Uint8Array;
  /** Must stay pinned until the upload settles. */
  task: ServedTask;
  /** Not empty, and stored, unless it goes out in blocks. */
  range: ByteRange;
  /** The range goes out block by block, as they come, each behind its sum. */
  blocks?: PieceBlocks | undefined;
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
  /** Of that, in which it had nothing to send: a block was still on its way to us. */
  waitedMs: number;
  /** Of `file-error` and `engine-error`, or why the engine gave up. */
  error: Error | undefined;
}

/** What an upload needs of its surroundings. */
export interface UploadHost {
  choose(socket: Socket, fallback: TransferFallbackReason | undefined): RouteChoice;
  runRoute(choice: RouteChoice, segment: Segment): Promise<SegmentEnd>;
  allow(spec: UploadSpec): UploadAllowance;
  countBytes(protocol: UploadProtocol, choice: RouteChoice, bytes: number): void;
  /** Calls back once when a block has kept an upload waiting for too long; the returned function cancels. */
  onBlockOverdue(callback: () => void): () => void;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  monotonicMs(): number;
}

const NOTHING = new Uint8Array(0);

/** One range on its way to one client, by whichever routes until it is there. */
export class Upload implements Segment {
  readonly spec: UploadSpec;
  /** Tells it from the others of its host. */
  readonly id: number;
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
  /** Of the range, where the segment ends: the end of a block, or of all. */
  #segmentEnd: number;
  #waitingForBlock = false;
  #waitedMs = 0;
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

  constructor(spec: UploadSpec, host: UploadHost, id: number) {
    this.spec = spec;
    this.id = id;
    this.head = spec.head;
    this.#host = host;
    this.sinceMs = host.now();
    this.#startedMs = host.monotonicMs();
    this.#choice = host.choose(spec.socket, undefined);
    this.#segmentEnd = spec.blocks === undefined ? spec.range.length : 0;
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
    return this.#segmentEnd - this.#movedBytes;
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

  /** The client's progress clock stands still unless it is the client. */
  get waitingFor(): UploadWait {
    if (this.#waitingForBlock) return 'piece';
    return this.waitingForBudget ? 'bandwidth' : 'client';
  }

  /** Bytes of the range that the socket took so far. */
  get bytesSent(): number {
    return this.#movedBytes + (this.inFlight?.() ?? 0);
  }

  /** Sends the range. Never rejects; once. */
  async run(): Promise<UploadOutcome> {
    const { socket, blocks } = this.spec;
    const onClose = (): void => this.stop('client-closed');
    socket.on('close', onClose);
    if (socket.destroyed) this.stop('client-closed');
    const forgetBlocks = blocks?.onBroken(() => this.stop('stopped'));
    while (this.#result === undefined) {
      if (blocks !== undefined && this.left === 0 && !(await this.#beginBlock(blocks))) continue;
      if (this.#choice.limited) this.#allowance ??= this.#host.allow(this.spec);
      this.budget = this.#choice.limited ? this.#allowance?.budget : undefined;
      this.#leaveSegment(await this.#host.runRoute(this.#choice, this));
    }
    forgetBlocks?.();
    socket.off('close', onClose);
    this.#allowance?.release();
    return {
      result: this.#result,
      choice: this.#choice,
      bytesSent: this.#movedBytes,
      durationMs: this.#host.monotonicMs() - this.#startedMs,
      waitedMs: this.#waitedMs,
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
    if (this.#waitingForBlock) return void (this.#choice = next);
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
    if (this.waitingFor !== 'client' || sent - this.#progressBytes >= minBytes) {
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

  /** Resolves once the next block may go out, with its sum in front of it; false: there will be none, and the upload has ended. */
  async #beginBlock(blocks: PieceBlocks): Promise<boolean> {
    const sum = blocks.sum(this.#movedBytes / blocks.blockLength, this.signal);
    const known = typeof sum === 'number' ? sum : await this.#waitForBlock(sum);
    if (known === undefined || this.#result !== undefined) return false;
    const head = Buffer.allocUnsafe(this.head.length + BLOCK_SUM_BYTES);
    head.set(this.head);
    head.writeUInt32BE(known >>> 0, this.head.length);
    this.head = head;
    this.#segmentEnd = Math.min(this.#movedBytes + blocks.blockLength, this.spec.range.length);
    return true;
  }

  async #waitForBlock(sum: Promise<number>): Promise<number | undefined> {
    this.#waitingForBlock = true;
    const sinceMs = this.#host.monotonicMs();
    const cancel = this.#host.onBlockOverdue(() => this.stop('stopped'));
    try {
      return await sum;
    } catch {
      // Nobody's fault here, and whoever brings the piece tells why.
      this.stop('stopped');
      return undefined;
    } finally {
      cancel();
      this.#waitingForBlock = false;
      this.#waitedMs += this.#host.monotonicMs() - sinceMs;
    }
  }

  #leaveSegment(end: SegmentEnd): void {
    if (end.kind === 'unsupported') this.#fallback = 'unsupported-file';
    if (end.kind === 'engine-failed') this.#fallback = 'engine-failed';
    if ('error' in end) this.#error = end.error;
    if (this.#result !== undefined) return;
    this.#rerouteWanted = false;
    if (end.kind === 'complete' && this.#segmentEnd === this.spec.range.length) this.#result = 'complete';
    if (end.kind === 'closed') this.#result = 'client-closed';
    if (end.kind === 'file-error') this.#result = 'file-error';
    if (end.kind === 'broken') this.#result = 'engine-error';
    if (end.kind === 'refused') this.#result = 'stopped';
    if (this.#result === undefined) this.#choice = this.#host.choose(this.spec.socket, this.#fallback);
  }
}
