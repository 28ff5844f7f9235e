import type { Clock } from '../../core/clock.js';
import { toDfpeerError, type DfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { CandidateParent } from '../../scheduler-client/scheduler-client.js';
import type { OffersRequest, ParentDialer, ParentLoad, PieceOffer } from '../parents/parent-dialer.js';

/** Taken for a parent that does not say how fast it is: 10 Gbit/s. */
const ASSUMED_TX_BITS_PER_SECOND = 10e9;
/** A busy parent still counts for a tenth of its line. */
const MIN_IDLE_SHARE = 0.1;
/** Consecutive failures after which a parent is given up. */
export const MAX_PARENT_FAILURES = 3;

export interface ParentLinkEvents {
  /** The parent is there: it answered. */
  onWord(link: ParentLink): void;
  onOffer(link: ParentLink, offer: PieceOffer): void;
  /** The stream ended: with an error, or because the parent has given all it will. */
  onEnd(link: ParentLink, error: DfpeerError | undefined): void;
}

/** One parent of one download: its offers as they come, its load, and how it has served us so far. */
export class ParentLink {
  readonly parent: CandidateParent;
  readonly #controller = new AbortController();
  readonly #abandoned = new AbortController();
  readonly #offers = new Map<number, PieceOffer>();
  readonly #clock: Clock;
  readonly #dialer: ParentDialer;
  readonly #events: ParentLinkEvents;
  #load: ParentLoad;
  #openStreams = 0;
  #hasSpoken = false;
  readonly #openedAtMs: number;
  inFlight = 0;
  consecutiveFailures = 0;
  /** Pieces it has offered since the last one that came, and had no more when they were asked for. */
  emptyOffers = 0;
  /** The parent asked not to be asked before this (429, 503). */
  #restUntilMs = 0;
  #cancelRest: () => void = () => undefined;

  constructor(parent: CandidateParent, context: { clock: Clock; dialer: ParentDialer; events: ParentLinkEvents }) {
    this.parent = parent;
    this.#clock = context.clock;
    this.#dialer = context.dialer;
    this.#events = context.events;
    this.#openedAtMs = this.#clock.monotonicMs();
    this.#load = { maxTxBitsPerSecond: parent.maxTxBitsPerSecond, txBitsPerSecond: parent.txBitsPerSecond };
  }

  get id(): string {
    return this.parent.peerId;
  }

  /** More offers may come. */
  get streaming(): boolean {
    return this.#openStreams > 0;
  }

  /** It is there, and may have more to say. */
  get speaking(): boolean {
    return this.#hasSpoken && this.streaming;
  }

  /** It has not said a word in the time that one may take. */
  wasSilentFor(patienceMs: number): boolean {
    return !this.#hasSpoken && this.#clock.monotonicMs() - this.#openedAtMs >= patienceMs;
  }

  get lost(): boolean {
    return this.#controller.signal.aborted;
  }

  offerOf(number: number): PieceOffer | undefined {
    return this.#offers.get(number);
  }

  /** False: the parent has offered the piece again since. */
  withdraw(offer: PieceOffer): boolean {
    return this.#offers.get(offer.number) === offer && this.#offers.delete(offer.number);
  }

  /** Idle bandwidth as the parent tells it, less for one that has just failed (docs/WIRE.md 2.2). */
  get weight(): number {
    const max = this.#load.maxTxBitsPerSecond > 0 ? this.#load.maxTxBitsPerSecond : ASSUMED_TX_BITS_PER_SECOND;
    const idle = Math.max(max - this.#load.txBitsPerSecond, max * MIN_IDLE_SHARE);
    return idle / ASSUMED_TX_BITS_PER_SECOND / 2 ** this.consecutiveFailures;
  }

  get resting(): boolean {
    return this.#clock.monotonicMs() < this.#restUntilMs;
  }

  /** Leaves the parent alone for a while; `onRested` is called unless the link closes before. */
  rest(ms: number, onRested: () => void): void {
    if (this.lost) return;
    this.#restUntilMs = this.#clock.monotonicMs() + ms;
    this.#cancelRest();
    this.#cancelRest = this.#clock.after(ms, onRested, { unref: true });
  }

  /** Opens both streams; returns at once. */
  open(request: OffersRequest & { peerId: string }, logger: Logger): void {
    this.ask(request);
    void this.#readLoad(request.peerId, logger);
  }

  /** Opens one more stream, for pieces that were not wanted before; returns at once. */
  ask(request: OffersRequest): void {
    this.#openStreams++;
    void this.#readOffers(request);
  }

  /** Aborts when nothing this parent still sends is wanted. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** A parent that lied: the requests under way are not waited for. One that is merely closed may finish them. */
  abandon(): void {
    this.#abandoned.abort();
  }

  close(): void {
    this.#controller.abort();
    this.#cancelRest();
  }

  #speaks(): void {
    this.#hasSpoken = true;
    this.#events.onWord(this);
  }

  async #readOffers(request: OffersRequest): Promise<void> {
    let failure: DfpeerError | undefined;
    try {
      const onAnswer = (): void => this.#speaks();
      for await (const offer of this.#dialer.syncPieces(this.parent, request, this.#controller.signal, onAnswer)) {
        if (this.lost) break;
        onAnswer();
        this.#offers.set(offer.number, offer);
        this.#events.onOffer(this, offer);
      }
    } catch (error) {
      failure = toDfpeerError(error, 'DFP_PARENT_UNREACHABLE');
    }
    this.#openStreams--;
    if (!this.lost) this.#events.onEnd(this, failure);
  }

  async #readLoad(peerId: string, logger: Logger): Promise<void> {
    try {
      for await (const load of this.#dialer.syncHost(this.parent, { peerId }, this.#controller.signal)) {
        this.#load = load;
        this.#speaks();
      }
    } catch (error) {
      // Optional for a parent: the weight stays what the scheduler said.
      if (!this.lost) logger.debug({ err: error, parent: this.id }, 'the parent does not tell its load');
    }
  }
}
