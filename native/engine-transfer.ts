import type { Socket } from 'node:net';
import type { DuplicatedFd } from './duplicated-fd.js';
import type { NativeError } from './errors.js';
import type { ProgressListener } from './progress-ticker.js';
import type { SendState } from './send-state.js';
import type { SlotRequest, SlotResult } from './slot-table.js';
import { SyscallError } from './syscall-error.js';
import type { SendFileOptions, SendFileResult, Transfer } from './transfer.js';
import type { LaneJob, WorkerDeath, WorkerLane } from './worker-lane.js';

/** Told by a transfer about itself. */
export interface TransferOwner {
  /** It ended before it came to a worker. */
  onLeftQueue(transfer: EngineTransfer): void;
  onSettled(transfer: EngineTransfer, workerFinished: boolean): void;
}

/** A transfer from its duplicate to its result: first in the engine's queue, then in a lane's slot. */
export class EngineTransfer implements Transfer, LaneJob, ProgressListener {
  readonly done: Promise<SendFileResult>;
  readonly hasProgress: boolean;

  readonly #socket: Socket;
  readonly #duplicate: DuplicatedFd;
  readonly #state: SendState;
  readonly #options: SendFileOptions;
  readonly #owner: TransferOwner;
  #resolve: (result: SendFileResult) => void = () => undefined;
  #place: { lane: WorkerLane; slot: number } | undefined;
  #result: SendFileResult | undefined;
  #reported = -1;

  /** Takes the duplicate over and closes it. `state` tells what was sent already. */
  constructor(
    socket: Socket,
    duplicate: DuplicatedFd,
    state: SendState,
    options: SendFileOptions,
    owner: TransferOwner,
  ) {
    this.#socket = socket;
    this.#duplicate = duplicate;
    this.#state = state;
    this.#options = options;
    this.#owner = owner;
    this.hasProgress = options.onProgress !== undefined;
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    socket.on('close', this.#onSocketClose);
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  get bytesSent(): number {
    if (this.#result !== undefined) return this.#result.bytesSent;
    return this.#place === undefined ? this.#state.sent : this.#place.lane.sent(this.#place.slot);
  }

  stop(): void {
    if (this.#result !== undefined) return;
    if (this.#place !== undefined) this.#place.lane.stop(this.#place.slot);
    else this.#leaveQueue({ ...this.#initialCounts, outcome: 'stopped' });
  }

  /** Leaves the queue for a slot of the lane. */
  enter(lane: WorkerLane): void {
    const { inputFd, offset, length, sent, headSent } = this.#state;
    const request: SlotRequest = {
      outputFd: this.#duplicate.fd,
      inputFd,
      offset,
      length,
      sent,
      headSent,
      head: this.#options.head,
    };
    this.#place = { lane, slot: lane.start(this, request) };
  }

  /** No worker can take it. */
  refuse(error: NativeError): void {
    this.#settle({ ...this.#initialCounts, outcome: 'unsupported', error }, false);
  }

  reportProgress(): void {
    const bytesSent = this.bytesSent;
    if (this.#result !== undefined || bytesSent === this.#reported) return;
    this.#reported = bytesSent;
    this.#options.onProgress?.(bytesSent);
  }

  onFinished({ outcome, errno, syscall }: SlotResult, sent: number, headSent: number): void {
    const result: SendFileResult = { bytesSent: sent, headBytesSent: headSent, outcome };
    if (errno !== 0) result.error = new SyscallError(syscall, errno, 'sending a file');
    this.#settle(result, true);
  }

  onWorkerDied({ error, started }: WorkerDeath, sent: number, headSent: number): void {
    const outcome = started ? 'failed' : 'unsupported';
    this.#settle({ bytesSent: sent, headBytesSent: headSent, outcome, error }, false);
  }

  get #initialCounts(): { bytesSent: number; headBytesSent: number } {
    return { bytesSent: this.#state.sent, headBytesSent: this.#state.headSent };
  }

  readonly #onAbort = (): void => this.stop();

  readonly #onSocketClose = (): void => {
    if (this.#place !== undefined) this.#duplicate.shutdown();
    else this.#leaveQueue({ ...this.#initialCounts, outcome: 'closed' });
  };

  #leaveQueue(result: SendFileResult): void {
    this.#owner.onLeftQueue(this);
    this.#settle(result, false);
  }

  #settle(result: SendFileResult, workerFinished: boolean): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    this.#place = undefined;
    this.#duplicate.close();
    this.#socket.removeListener('close', this.#onSocketClose);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#owner.onSettled(this, workerFinished);
    this.#resolve(result);
  }
}
