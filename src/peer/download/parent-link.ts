import type { Clock } from '../../core/clock.js';
import { toDfpeerError, type DfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { TaskId } from '../../core/task-id.js';
import type { CandidateParent } from '../../scheduler-client/scheduler-client.js';
import type { ParentDialer, ParentLoad, PieceOffer } from '../parents/parent-dialer.js';

/** Taken for a parent that does not say how fast it is: 10 Gbit/s. */
const ASSUMED_TX_BITS_PER_SECOND = 10e9;
/** A busy parent still counts for a tenth of its line. */
const MIN_IDLE_SHARE = 0.1;
/** Consecutive failures after which a parent is given up. */
export const MAX_PARENT_FAILURES = 3;

export interface ParentLinkEvents {
  onOffer(link: ParentLink, offer: PieceOffer): void;
  /** The stream ended: with an error, or because the parent has given all it will. */
  onEnd(link: ParentLink, error: DfpeerError | undefined): void;
}

/** One parent of one download: its offers as they come, its load, and how it has served us so far. */
export class ParentLink {
  readonly parent: CandidateParent;
  readonly #controller = new AbortController();
  readonly #offers = new Map<number, PieceOffer>();
  readonly #clock: Clock;
  #load: ParentLoad;
  #streaming = true;
  inFlight = 0;
  consecutiveFailures = 0;
  bytes = 0;
  /** The parent asked not to be asked before this (429, 503). */
  #restUntilMs = 0;

  constructor(parent: CandidateParent, clock: Clock) {
    this.parent = parent;
    this.#clock = clock;
    this.#load = { maxTxBitsPerSecond: parent.maxTxBitsPerSecond, txBitsPerSecond: parent.txBitsPerSecond };
  }

  get id(): string {
    return this.parent.peerId;
  }

  /** More offers may come. */
  get streaming(): boolean {
    return this.#streaming;
  }

  get lost(): boolean {
    return this.#controller.signal.aborted;
  }

  offerOf(number: number): PieceOffer | undefined {
    return this.#offers.get(number);
  }

  /** Idle bandwidth as the parent tells it, less for one that has just failed (Dragonfly v2 wire facts, 2.2). */
  get weight(): number {
    const max = this.#load.maxTxBitsPerSecond > 0 ? this.#load.maxTxBitsPerSecond : ASSUMED_TX_BITS_PER_SECOND;
    const idle = Math.max(max - this.#load.txBitsPerSecond, max * MIN_IDLE_SHARE);
    return idle / ASSUMED_TX_BITS_PER_SECOND / 2 ** this.consecutiveFailures;
  }

  get resting(): boolean {
    return this.#clock.monotonicMs() < this.#restUntilMs;
  }

  rest(ms: number): void {
    this.#restUntilMs = this.#clock.monotonicMs() + ms;
  }

  /** Opens both streams; returns at once. */
  open(
    dialer: ParentDialer,
    request: { taskId: TaskId; peerId: string; pieces: readonly number[] },
    events: ParentLinkEvents,
    logger: Logger,
  ): void {
    void this.#readOffers(dialer, request, events);
    void this.#readLoad(dialer, request.peerId, logger);
  }

  close(): void {
    this.#controller.abort();
  }

  async #readOffers(
    dialer: ParentDialer,
    request: { taskId: TaskId; pieces: readonly number[] },
    events: ParentLinkEvents,
  ): Promise<void> {
    let failure: DfpeerError | undefined;
    try {
      for await (const offer of dialer.syncPieces(this.parent, request, this.#controller.signal)) {
        this.#offers.set(offer.number, offer);
        events.onOffer(this, offer);
      }
    } catch (error) {
      failure = toDfpeerError(error, 'DFP_PARENT_UNREACHABLE');
    }
    this.#streaming = false;
    if (!this.lost) events.onEnd(this, failure);
  }

  async #readLoad(dialer: ParentDialer, peerId: string, logger: Logger): Promise<void> {
    try {
      for await (const load of dialer.syncHost(this.parent, { peerId }, this.#controller.signal)) this.#load = load;
    } catch (error) {
      // Optional for a parent: the weight stays what the scheduler said.
      if (!this.lost) logger.debug({ err: error, parent: this.id }, 'the parent does not tell its load');
    }
  }
}
