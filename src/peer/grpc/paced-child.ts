import type { PieceSet } from '../../core/piece-set.js';
import type { TaskId } from '../../core/task-id.js';

/** A piece that a child was told of and has not asked for yet. */
export interface Offer {
  madeAtMs: number;
  /** It holds a place on the line. False: it has lapsed, but may still be taken. */
  isOpen: boolean;
  /** Ends the wait for its lapse. */
  cancel: () => void;
}

/** A piece to tell a child of, at the moment of its turn; undefined when there is none. It counts as told. */
export type ChooseOffer = () => number | undefined;

interface Turns {
  next(child: PacedChild, choose: ChooseOffer, signal: AbortSignal): Promise<number[]>;
  recall(child: PacedChild): void;
  leave(child: PacedChild): void;
}

/** One child of one task, as a parent sees it. */
export class PacedChild {
  readonly taskId: TaskId;
  readonly hostId: string;
  readonly ip: string;
  /** By piece. */
  readonly offers = new Map<number, Offer>();
  openOffers = 0;
  uploads = 0;
  /** Here or asked of somebody, as it said last; undefined while it says nothing. */
  held: PieceSet | undefined;
  readonly #turns: Turns;
  #told = 0;

  constructor(who: { taskId: TaskId; hostId: string; ip: string }, turns: Turns) {
    this.taskId = who.taskId;
    this.hostId = who.hostId;
    this.ip = who.ip;
    this.#turns = turns;
  }

  /** Pieces that it has, will have, or, of one that says nothing, may have. */
  get progress(): number {
    return this.held === undefined ? this.#told : this.held.size + this.openOffers;
  }

  /** What it may want of us at once. */
  get load(): number {
    return this.openOffers + this.uploads;
  }

  lacks(number: number): boolean {
    return this.held?.has(number) !== true;
  }

  told(number: number, offer: Offer): void {
    this.#told++;
    this.openOffers++;
    this.offers.set(number, offer);
  }

  /** The pieces to tell this child of, once it is its turn; empty when there are none, it was recalled, or the signal was aborted. */
  next(choose: ChooseOffer, signal: AbortSignal): Promise<number[]> {
    return this.#turns.next(this, choose, signal);
  }

  /** Ends the wait for a turn, with nothing: something else has happened. */
  recall(): void {
    this.#turns.recall(this);
  }

  leave(): void {
    this.#turns.leave(this);
  }
}
