import type { PieceSet } from '../../core/piece-set.js';
import type { TaskId } from '../../core/task-id.js';
import type { UploadProgress } from '../../upload/index.js';

/** Remembered of what a child was told alone: so much it passes on in a good while. */
export const MAX_NEWS = 8;

/** A piece that a child was told of and has not asked for yet. */
export interface Offer {
  madeAtMs: number;
  /** It holds a place on the line. False: it has lapsed, but may still be taken. */
  isOpen: boolean;
  /** Ends the wait for its lapse. */
  cancel: () => void;
}

/** Pieces that are here and that a child has not heard of. */
export interface Untold {
  some(isWanted: (number: number) => boolean): boolean;
  /** At the moment of its turn: of those that are wanted the one that fewest have; undefined when there is none. It counts as told. */
  choose(isWanted: (number: number) => boolean, havers?: (number: number) => number): number | undefined;
  /** Fetched from the origin, which still gives more: our line is the only way that pieces have into the swarm. */
  isNews(number: number): boolean;
}

interface Turns {
  next(child: PacedChild, untold: Untold, signal: AbortSignal): Promise<number[]>;
  recall(child: PacedChild): void;
  leave(child: PacedChild): void;
}

/** Who listens to what we have of which task. */
export interface ChildName {
  taskId: TaskId;
  /** As it calls itself. */
  hostId: string;
  /** Where its connection comes from. */
  ip: string;
}

/** Of several uploads those that take of the line: one whose piece is still on its way to us has nothing to send now and then. */
export function countSending(uploads: Iterable<UploadProgress>): number {
  let count = 0;
  for (const { waitingFor } of uploads) if (waitingFor !== 'piece') count++;
  return count;
}

/** One child of one task, as a parent sees it. */
export class PacedChild {
  readonly taskId: TaskId;
  readonly hostId: string;
  readonly ip: string;
  /** By piece. */
  readonly offers = new Map<number, Offer>();
  /** Asked of us; it says so itself a moment later. */
  readonly taken = new Set<number>();
  /** It was told of these while nobody else could give them; the last ones, and not those that everybody has by now. */
  readonly news = new Set<number>();
  openOffers = 0;
  readonly uploads = new Set<UploadProgress>();
  /** Here or asked of somebody, as it said last; undefined while it says nothing. */
  held: PieceSet | undefined;
  /** Of `held` what is here; it need never hear of that. */
  here: PieceSet | undefined;
  /** Hosts that may give it pieces, as it said last. */
  parentHostIds: ReadonlySet<string> = new Set();
  readonly #toldAtMs = new Map<number, number>();
  /** When it was first seen to wait for a piece that somebody is to give it. */
  readonly #waitsSinceMs = new Map<number, number>();
  readonly #turns: Turns;

  constructor(who: ChildName, turns: Turns) {
    this.taskId = who.taskId;
    this.hostId = who.hostId;
    this.ip = who.ip;
    this.#turns = turns;
  }

  /** Pieces that it has, will have, or, of one that says nothing, may have. */
  get progress(): number {
    return this.held === undefined ? this.#toldAtMs.size : this.held.size + this.openOffers;
  }

  /** What it may want of us at once. */
  get load(): number {
    return this.openOffers + countSending(this.uploads);
  }

  /** It neither has the piece nor has asked anybody for it, as far as it says. */
  lacks(number: number): boolean {
    return this.held?.has(number) !== true;
  }

  /** It says so. */
  has(number: number): boolean {
    return this.here?.has(number) === true;
  }

  /** It asked somebody for the piece, was seen to do so `patienceMs` ago, and doesn't have it yet. */
  waitsLongerThan(patienceMs: number, number: number, nowMs: number): boolean {
    if (this.lacks(number) || this.has(number)) {
      this.#waitsSinceMs.delete(number);
      return false;
    }
    const sinceMs = this.#waitsSinceMs.get(number) ?? nowMs;
    this.#waitsSinceMs.set(number, sinceMs);
    return nowMs - sinceMs > patienceMs;
  }

  /** It has the piece, has asked for it or is about to; of a child that says nothing, it was told of it. */
  mayHave(number: number): boolean {
    if (this.held === undefined) return this.#toldAtMs.has(number);
    return this.held.has(number) || this.taken.has(number) || this.offers.get(number)?.isOpen === true;
  }

  wasToldAfter(ms: number, number: number): boolean {
    return (this.#toldAtMs.get(number) ?? -Infinity) > ms;
  }

  told(number: number, offer: Offer): void {
    this.#toldAtMs.set(number, offer.madeAtMs);
    this.openOffers++;
    this.offers.set(number, offer);
  }

  /** Told of what only we have. */
  gotNews(number: number): void {
    this.news.add(number);
    const [oldest] = this.news;
    if (this.news.size > MAX_NEWS && oldest !== undefined) this.news.delete(oldest);
  }

  /** The pieces to tell this child of, once it is its turn; empty when there are none, it was recalled, or the signal was aborted. */
  next(untold: Untold, signal: AbortSignal): Promise<number[]> {
    return this.#turns.next(this, untold, signal);
  }

  /** Ends the wait for a turn, with nothing: something else has happened. */
  recall(): void {
    this.#turns.recall(this);
  }

  leave(): void {
    this.#turns.leave(this);
  }
}
