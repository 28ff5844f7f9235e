import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '../core/clock.js';
import { AbortedError, DeadlineError, type DfpeerError, toDfpeerError, UsageError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { parseTaskId } from '../core/task-id.js';
import type { AnnouncePeerRequest__Output } from '../generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnouncePeerResponse } from '../generated/scheduler/v2/AnnouncePeerResponse.js';
import { PARENTS_KEY, PUSHED_PARENTS } from '../grpc/metadata-keys.js';
import { toGrpcError } from '../grpc/status.js';
import { validateMessage } from '../grpc/validation.js';
import type { SchedulerPeer } from './model.js';
import type { ScheduleDecision, SchedulerCore } from './scheduler-core.js';
import { toPeerRegistration, toPeerRequest, type PeerIds } from './wire-input.js';
import type { WireOutput } from './wire-output.js';

export type AnnouncePeerCall = ServerDuplexStream<AnnouncePeerRequest__Output, AnnouncePeerResponse>;

/** Response metadata of AnnouncePeer that tells our clients what they may ask of this scheduler. */
export const EMBEDDED_SCHEDULER_HEADER = 'dfpeer-scheduler';
/** A stream that says nothing for this long after it opened is ended. */
export const FIRST_MESSAGE_TIMEOUT_MS = 30_000;

export interface AnnouncePeerStreamOptions {
  core: SchedulerCore;
  output: WireOutput;
  clock: Clock;
  logger: Logger;
  onDecision: (kind: ScheduleDecision['kind']) => void;
  onClosed: (stream: AnnouncePeerStream) => void;
}

/**
 * The server's side of one AnnouncePeer conversation (docs/WIRE.md 1.4): one message at a time, one answer each to
 * register and reschedule, and the end after the last report. While a message is being answered the next ones wait in the
 * transport's flow control. Clients of our own also hear of parents that join later.
 */
export class AnnouncePeerStream {
  readonly #call: AnnouncePeerCall;
  readonly #options: AnnouncePeerStreamOptions;
  readonly #closed = new AbortController();
  readonly #cancelFirstMessageTimer: () => void;
  readonly #takesUpdates: boolean;
  #peer: SchedulerPeer | undefined;
  #unsubscribe: () => void = () => undefined;
  /** Answers that are being found or are on their way. */
  #unsentCount = 0;
  #isEnding = false;

  constructor(call: AnnouncePeerCall, options: AnnouncePeerStreamOptions) {
    this.#call = call;
    this.#options = options;
    this.#takesUpdates = call.metadata.get(PARENTS_KEY).includes(PUSHED_PARENTS);
    this.#cancelFirstMessageTimer = options.clock.after(
      FIRST_MESSAGE_TIMEOUT_MS,
      () => this.fail(new DeadlineError('the first message of AnnouncePeer', FIRST_MESSAGE_TIMEOUT_MS)),
      { unref: true },
    );
    const metadata = new Metadata();
    metadata.set(EMBEDDED_SCHEDULER_HEADER, 'embedded');
    call.sendMetadata(metadata);
    call.on('data', (message: AnnouncePeerRequest__Output) => void this.#receive(message));
    // A client may leave without a last word; its peer is judged by the grace.
    call.on('end', () => this.#end());
    // grpc-js says so after every end, not only after a cancellation.
    call.on('cancelled', () => this.#onClosed());
  }

  /** Ends the call with an error. */
  fail(error: DfpeerError): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const { code, message } = error;
    this.#options.logger.debug({ peerId: this.#peer?.id, code, reason: message }, 'AnnouncePeer ended with an error');
    this.#call.emit('error', toGrpcError(error));
  }

  /** Ends the call when its peer was deleted or collected. */
  failIfOrphaned(): void {
    if (this.#peer?.state !== 'Leave') return;
    try {
      this.#options.core.peer(this.#peer.id);
    } catch (error) {
      this.fail(toDfpeerError(error));
    }
  }

  async #receive(message: AnnouncePeerRequest__Output): Promise<void> {
    this.#call.pause();
    this.#cancelFirstMessageTimer();
    try {
      await this.#handle(message);
    } catch (error) {
      this.fail(toDfpeerError(error));
    }
    // What comes after the end is read too, and dropped: the stream couldn't close otherwise.
    this.#call.resume();
  }

  async #handle(message: AnnouncePeerRequest__Output): Promise<void> {
    if (this.#isEnding) return;
    validateMessage('scheduler.v2.AnnouncePeerRequest', message);
    const { hostId, peerId } = message;
    const ids: PeerIds = { hostId, peerId, taskId: parseTaskId(message.taskId) };
    const request = toPeerRequest(message);
    const { core } = this.#options;
    const signal = this.#closed.signal;
    switch (request?.kind) {
      case 'register': {
        // Before there is a second peer, which would be left without a stream.
        this.#assertNoPeer();
        const peer = core.register(toPeerRegistration(ids, request.download, this.#takesUpdates));
        this.#attach(peer);
        return this.#answer(core.decide(peer, signal));
      }
      case 'reschedule':
        return this.#answer(core.reschedule(this.#peerOf(ids), request.parentIds, signal));
      case 'report':
        core.report(this.#peerOf(ids), request.report);
        if (request.isLast) this.#end();
        return;
      case undefined:
        throw invalid('the request is empty');
    }
  }

  /** The peer that this stream is about; a new stream may go on with a peer whose stream broke. */
  #peerOf(ids: PeerIds): SchedulerPeer {
    const peer = this.#options.core.peer(ids.peerId);
    if (peer.host.id !== ids.hostId || peer.task.id !== ids.taskId)
      throw invalid(`peer ${ids.peerId} belongs to another host or task`);
    if (this.#peer !== peer) this.#attach(peer);
    return peer;
  }

  #assertNoPeer(): void {
    if (this.#peer !== undefined) throw invalid('one AnnouncePeer stream is for one peer');
  }

  #attach(peer: SchedulerPeer): void {
    this.#assertNoPeer();
    this.#peer = peer;
    const { core } = this.#options;
    core.attachStream(peer);
    if (!this.#takesUpdates) return;
    const isReady = (): boolean => this.#unsentCount === 0 && !this.#isEnding && peer.state === 'Running';
    const tell = (parents: SchedulerPeer[]): void => void this.#send({ kind: 'parents', parents });
    this.#unsubscribe = core.updates.subscribe({ peer, isReady, tell });
  }

  async #answer(deciding: Promise<ScheduleDecision>): Promise<void> {
    this.#unsentCount++;
    try {
      const decision = await deciding;
      this.#options.onDecision(decision.kind);
      await this.#send(decision);
    } finally {
      this.#unsentCount--;
    }
  }

  /** Waits for the transport, so that a client that never reads can't pile up answers. */
  async #send(decision: ScheduleDecision): Promise<void> {
    const response = this.#options.output.decision(decision);
    this.#unsentCount++;
    await new Promise<void>((resolve) => this.#call.write(response, () => resolve()));
    this.#unsentCount--;
  }

  #end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#call.end();
  }

  #onClosed(): void {
    if (this.#closed.signal.aborted) return;
    this.#isEnding = true;
    this.#cancelFirstMessageTimer();
    this.#unsubscribe();
    this.#closed.abort(new AbortedError('AnnouncePeer'));
    if (this.#peer !== undefined) this.#options.core.detachStream(this.#peer);
    this.#options.onClosed(this);
  }
}

function invalid(why: string): UsageError {
  return new UsageError(`scheduler.v2.AnnouncePeerRequest: ${why}`, undefined, 'DFP_INVALID_ARGUMENT');
}
