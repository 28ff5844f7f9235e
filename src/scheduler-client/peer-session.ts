import { status } from '@grpc/grpc-js';
import type { Clock } from '../core/clock.js';
import { DfpeerError, toDfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { StoredPiece } from '../core/piece.js';
import type { IncomingMessage, OutgoingMessage } from './announce-codec.js';
import { AnnounceStream } from './announce-stream.js';
import { type DecodedDecision, decodeDecision } from './candidates.js';
import * as events from './peer-messages.js';
import type { PeerEvent } from './peer-messages.js';
import type { LifeSign } from './liveness.js';
import type { AnnounceCall } from './scheduler-connection.js';
import type { CandidateParent, PeerRegistration, PeerSession, ScheduleDecision } from './scheduler-client.js';
import { hasStatus } from '../grpc/unary-call.js';

/** A scheduler decides within about 3 s; one that hasn't answered by then is taken for unreachable. */
export const FIRST_ANSWER_TIMEOUT_MS = 10_000;
/** How long the server may take to close after our last message. */
export const END_TIMEOUT_MS = 3000;

/** What a session needs of the scheduler it talks to. */
export interface SessionScheduler {
  address: string;
  ip: string;
  announcePeer(): AnnounceCall;
  expectLife(): LifeSign;
  /** The scheduler has forgotten this host: tell it again, before the second and last try. */
  announceHostAgain(signal?: AbortSignal): Promise<void>;
  /** For a peer whose end could not be told on the stream. Never rejects. */
  forgetPeer(peerId: string): Promise<void>;
}

export interface SessionOptions {
  host: { id: string; ip: string };
  registration: PeerRegistration;
  scheduler: SessionScheduler;
  /** Bound of the wait for each answer but the first. */
  scheduleTimeoutMs: number;
  clock: Clock;
  logger: Logger;
  /** The stream ended; `succeeded` when it ended with our success told. */
  onEnded?: (outcome: { succeeded: boolean; error?: DfpeerError | undefined }) => void;
}

/** The client's side of one AnnouncePeer conversation (docs/WIRE.md 1.4). */
export class AnnouncePeerSession implements PeerSession {
  readonly peerId: string;
  readonly failed: AbortSignal;
  readonly #options: SessionOptions;
  readonly #logger: Logger;
  readonly #failure = new AbortController();
  /** registering: a broken stream may still be replaced. */
  #state: 'new' | 'registering' | 'open' | 'ended' = 'new';
  #stream: AnnounceStream | undefined;
  #ending: Promise<void> | undefined;
  #unusable: readonly Uint8Array[] = [];
  #onMoreParents: (parents: CandidateParent[]) => void = () => undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.peerId = options.registration.peerId;
    this.failed = this.#failure.signal;
    this.#logger = options.logger.child({ scheduler: options.scheduler.address, peerId: this.peerId });
  }

  onMoreParents(listener: (parents: CandidateParent[]) => void): void {
    this.#onMoreParents = listener;
  }

  expectLife(): LifeSign {
    return this.#options.scheduler.expectLife();
  }

  async register(signal?: AbortSignal): Promise<ScheduleDecision> {
    if (this.#state !== 'new') throw new DfpeerError('DFP_INTERNAL', `peer ${this.peerId} registers twice`);
    this.#state = 'registering';
    try {
      const decision = await this.#registerTwice(signal);
      if (this.#state === 'registering') this.#state = 'open';
      return decision;
    } catch (error) {
      if (this.#state === 'registering') this.#state = 'open';
      if (signal?.aborted !== true) this.#break(toDfpeerError(error));
      throw error;
    }
  }

  async reschedule(
    parents: readonly CandidateParent[],
    description: string,
    signal?: AbortSignal,
  ): Promise<ScheduleDecision> {
    if (this.failed.aborted) throw toDfpeerError(this.failed.reason);
    if (this.#state !== 'open') throw new DfpeerError('DFP_INTERNAL', `peer ${this.peerId} is not registered`);
    const candidates = [...parents.map(wireBytes), ...this.#unusable];
    this.#unusable = [];
    this.#stream?.send({ ...this.#message({}), reschedule: { candidates, description: events.clip(description) } });
    return this.#answer(this.#options.scheduleTimeoutMs, signal);
  }

  searchParents(): void {
    if (this.#state !== 'open' || this.failed.aborted) return;
    const description = 'more parents';
    this.#stream?.send({ ...this.#message({}), reschedule: { candidates: [], description } });
  }

  started(): void {
    this.#report({ downloadPeerStartedRequest: {} });
  }

  backToSourceStarted(description: string): void {
    this.#report(events.backToSourceStartedEvent(description));
  }

  pieceFinished(piece: StoredPiece): void {
    this.#report(events.pieceFinishedEvent(piece));
  }

  pieceFromSourceFinished(piece: StoredPiece): void {
    this.#report(events.pieceFromSourceFinishedEvent(piece));
  }

  pieceFailed(report: { pieceNumber: number; parentPeerId: string; temporary: boolean }): void {
    // The scheduler ends the whole stream over an empty parent id.
    if (report.parentPeerId === '') return;
    this.#report(events.pieceFailedEvent(report));
  }

  pieceFromSourceFailed(report: Parameters<PeerSession['pieceFromSourceFailed']>[0]): void {
    this.#report(events.pieceFromSourceFailedEvent(report));
  }

  finish(how: 'parents' | 'source'): Promise<void> {
    return (this.#ending ??= this.#end(events.finishedEvent(how), true));
  }

  fail(how: 'parents' | 'source', description: string): Promise<void> {
    return (this.#ending ??= this.#end(events.failedEvent(how, description), false));
  }

  /** Gives the session up at once: the client is stopping. */
  abandon(error: DfpeerError): void {
    this.#stream?.break(error);
    this.#break(error);
  }

  async #registerTwice(signal: AbortSignal | undefined): Promise<ScheduleDecision> {
    try {
      return await this.#registerOnce(signal);
    } catch (error) {
      if (!hasStatus(error, status.NOT_FOUND)) throw error;
      this.#logger.info({}, 'the scheduler does not know this host any more; announcing it again');
    }
    await this.#options.scheduler.announceHostAgain(signal);
    return this.#registerOnce(signal);
  }

  async #registerOnce(signal: AbortSignal | undefined): Promise<ScheduleDecision> {
    const { scheduler, clock, registration, scheduleTimeoutMs } = this.#options;
    this.#stream = new AnnounceStream(scheduler.announcePeer(), {
      name: `scheduler ${scheduler.address}`,
      clock,
      logger: this.#logger,
      onBroken: (error) => {
        if (this.#state !== 'registering') this.#break(error);
      },
      onUnasked: (incoming) => this.#hear(incoming),
    });
    this.#stream.send(this.#message(events.registerEvent(registration)));
    return this.#answer(Math.min(FIRST_ANSWER_TIMEOUT_MS, scheduleTimeoutMs), signal);
  }

  async #answer(timeoutMs: number, signal: AbortSignal | undefined): Promise<ScheduleDecision> {
    const { scheduler } = this.#options;
    const stream = this.#stream;
    if (stream === undefined) throw new DfpeerError('DFP_INTERNAL', `peer ${this.peerId} has no stream`);
    const waitingFor = `the decision of scheduler ${scheduler.address}`;
    const incoming = await stream.receive({ timeoutMs, waitingFor, signal });
    const { decision, unusable } = this.#decode(incoming);
    this.#unusable = unusable;
    return decision;
  }

  /** Parents that have joined, or were looked for. Those that cross a question are taken for its answer, and the answer is heard here: parents all the same. */
  #hear(incoming: IncomingMessage): void {
    const { response } = incoming.message;
    if (response !== 'normalTaskResponse' || this.#state !== 'open')
      return this.#logger.debug({ response }, 'dropped an answer nobody asked for');
    const { decision } = this.#decode(incoming);
    if (decision.kind === 'parents' && decision.parents.length > 0) this.#onMoreParents(decision.parents);
  }

  /** @throws DfpeerError (DFP_SCHEDULER_REFUSED) for an answer of another kind than we know */
  #decode(incoming: IncomingMessage): DecodedDecision {
    const { scheduler, host } = this.#options;
    return decodeDecision(incoming, { own: host, scheduler, logger: this.#logger });
  }

  #report(event: PeerEvent): void {
    if (this.#state === 'open' && !this.failed.aborted) this.#stream?.send(this.#message(event));
    else this.#logger.debug({ event: Object.keys(event) }, 'dropped a report: the stream is not open');
  }

  async #end(event: PeerEvent, succeeded: boolean): Promise<void> {
    const stream = this.#stream;
    const wasBroken = this.failed.aborted;
    this.#state = 'ended';
    const isTold = await stream?.end(this.#message(event), END_TIMEOUT_MS);
    // Otherwise the scheduler would offer a peer that has nothing until its own cleaning, half an hour later.
    if (isTold === false && !succeeded) await this.#options.scheduler.forgetPeer(this.peerId);
    if (!wasBroken) this.#options.onEnded?.({ succeeded: succeeded && isTold === true });
  }

  #break(error: DfpeerError): void {
    if (this.failed.aborted) return;
    this.#failure.abort(error);
    this.#logger.debug({ err: error }, 'the stream to the scheduler broke');
    if (this.#state !== 'ended') this.#options.onEnded?.({ succeeded: false, error });
  }

  #message(event: PeerEvent): OutgoingMessage {
    const { host, registration } = this.#options;
    return { message: { hostId: host.id, taskId: registration.taskId, peerId: this.peerId, ...event } };
  }
}

function wireBytes(parent: CandidateParent): Uint8Array {
  if (parent.wire instanceof Uint8Array) return parent.wire;
  throw new DfpeerError('DFP_INTERNAL', `candidate parent ${parent.peerId} did not come from a scheduler`);
}
