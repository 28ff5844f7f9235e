import { type Clock, systemClock } from '../../core/clock.js';
import type { TaskId } from '../../core/task-id.js';
import { PieceSet } from '../../core/piece-set.js';
import type { UploadsOptions } from '../../upload/index.js';
import { RequestWindow } from '../request-window.js';

/** Pieces on their way to children, and offers that may still be taken, together: at least so many before further offers wait… */
export const MIN_PACED_UPLOADS = 4;
/** …and at most so many, on a line that carries them without a queue. */
export const MAX_PACED_UPLOADS = 64;
/** An offer that is not taken for so many times as long as children take when they are quick has lapsed: the child has the piece from elsewhere. */
export const OFFER_PATIENCE = 3;
/** Bounds of that, and what is assumed at first. */
export const MIN_OFFER_TIMEOUT_MS = 100;
export const MAX_OFFER_TIMEOUT_MS = 2_000;
export const FIRST_OFFER_TIMEOUT_MS = 300;
/** An offer that lapsed may still be taken; after this it is forgotten. */
export const OFFER_MEMORY_MS = 10_000;
/** Times to take an offer that are remembered. */
const MAX_TAKE_TIMES = 32;
/** A child alone with a task is not kept waiting; so many offers ahead of what it takes, so that others who come have something to hear. */
export const MAX_UNTAKEN_OFFERS = 16;
/** An upload that takes longer is a slow child's: others don't wait for it. */
export const MAX_PACED_UPLOAD_MS = 10_000;
/** A piece that some child has heard of is told to another one while less than this share of the line is taken: the first passes it on. */
const REPEATED_SHARE = 0.5;

interface Offer {
  child: PacedChild;
  madeAtMs: number;
  isOpen: boolean;
  cancel: () => void;
}

/** What to tell a child of: a piece that no child has heard of yet, or any. Undefined when there is none; otherwise it counts as told. */
export type ChooseOffer = (which: 'new' | 'any') => number | undefined;

interface Waiter {
  child: PacedChild;
  choose: ChooseOffer;
  settle: (number: number | undefined) => void;
}

/**
 * When children hear of a piece that only this host has. Were they told at once, all would ask for the same new piece, each would get it
 * late, and none would have anything for the others. So each piece is told to one child first, when the line has room for one more
 * upload, and to the child that has heard of fewest; the others get it from there, or from here once half the line is free. A child
 * alone with a task waits for nothing.
 */
export class OfferPacing {
  readonly #clock: Clock;
  readonly #window = new RequestWindow({ min: MIN_PACED_UPLOADS, max: MAX_PACED_UPLOADS });
  readonly #waiting = new Set<Waiter>();
  readonly #children = new Map<TaskId, Set<PacedChild>>();
  /** Offers that nobody has taken yet, by task and piece, oldest first; the open ones hold a place on the line. */
  readonly #offers = new Map<string, Offer[]>();
  readonly #takeTimesMs: number[] = [];
  #openCount = 0;
  #uploadCount = 0;
  #isDue = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** For the upload side: uploads are what offers wait for. */
  readonly onUpload: NonNullable<UploadsOptions['onUpload']> = ({ task, range, childIp, childHolds }) => {
    this.#learn(task.taskId, childIp, childHolds);
    this.#take(keyOf(task.taskId, Math.floor(range.offset / task.pieceLength)));
    this.#uploadCount++;
    let isCounted = true;
    const release = (): void => {
      if (!isCounted) return;
      isCounted = false;
      cancel();
      this.#uploadCount--;
      this.#look();
    };
    const cancel = this.#clock.after(MAX_PACED_UPLOAD_MS, release, { unref: true });
    return ({ result, bytesSent, durationMs }) => {
      if (result === 'complete' && bytesSent > 0) this.#window.finished(childIp, bytesSent, durationMs);
      release();
    };
  };

  /** A child that is to hear of a task's pieces; it must leave exactly once. */
  join(taskId: TaskId, ip: string): PacedChild {
    const child: PacedChild = new PacedChild(taskId, ip, {
      next: (child, choose, signal) => this.#next(child, choose, signal),
      recall: () => this.#recall(child),
      leave: () => this.#leave(child),
    });
    this.#children.set(taskId, (this.#children.get(taskId) ?? new Set()).add(child));
    return child;
  }

  /** Whether some child hears of the task. */
  isWanted(taskId: TaskId): boolean {
    return this.#children.has(taskId);
  }

  #leave(child: PacedChild): void {
    const others = this.#children.get(child.taskId);
    others?.delete(child);
    if (others?.size === 0) this.#children.delete(child.taskId);
    this.#look();
  }

  async #next(child: PacedChild, choose: ChooseOffer, signal: AbortSignal): Promise<number | undefined> {
    if (signal.aborted) return undefined;
    return new Promise((resolve) => {
      const settle = (number: number | undefined): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        resolve(number);
      };
      const onAbort = (): void => settle(undefined);
      const waiter: Waiter = { child, choose, settle };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
      this.#look();
    });
  }

  #recall(child: PacedChild): void {
    for (const waiter of [...this.#waiting]) if (waiter.child === child) waiter.settle(undefined);
  }

  /** A little later: whoever waits for the same event is to be there then, so that coming first is no advantage. */
  #look(): void {
    if (this.#isDue || this.#waiting.size === 0) return;
    this.#isDue = true;
    this.#clock.after(0, () => {
      this.#isDue = false;
      for (const waiter of [...this.#waiting])
        if (this.#isAlone(waiter.child) && this.#openCount < MAX_UNTAKEN_OFFERS) this.#serve(waiter, 'any');
      while (this.#serveNext());
    });
  }

  /** False when it is nobody's turn. */
  #serveNext(): boolean {
    const load = this.#uploadCount + this.#openCount;
    if (load >= this.#window.size) return false;
    const waiting = [...this.#waiting].sort(byNeed);
    if (waiting.some((waiter) => this.#serve(waiter, 'new'))) return true;
    return load < this.#window.size * REPEATED_SHARE && waiting.some((waiter) => this.#serve(waiter, 'any'));
  }

  #isAlone({ taskId }: PacedChild): boolean {
    return (this.#children.get(taskId)?.size ?? 0) <= 1;
  }

  /** False when the child is none the wiser. One for whom nothing is here at all need not wait any longer. */
  #serve({ child, choose, settle }: Waiter, which: 'new' | 'any'): boolean {
    const number = choose(which);
    if (number !== undefined || which === 'any') settle(number);
    // What it has needs no place on the line.
    if (number !== undefined && child.holds?.has(number) !== true) this.#offer(child, number);
    return number !== undefined;
  }

  #offer(child: PacedChild, number: number): void {
    const key = keyOf(child.taskId, number);
    const forget = (): void => this.#remove(key, offer);
    const lapse = (): void => {
      offer.isOpen = false;
      child.openCount--;
      this.#openCount--;
      offer.cancel = this.#clock.after(OFFER_MEMORY_MS, forget, { unref: true });
      this.#look();
    };
    const cancel = this.#clock.after(this.#timeoutMs(), lapse, { unref: true });
    const offer: Offer = { child, madeAtMs: this.#clock.monotonicMs(), isOpen: true, cancel };
    child.offers++;
    child.openCount++;
    this.#openCount++;
    this.#offers.set(key, [...(this.#offers.get(key) ?? []), offer]);
  }

  /** Several children behind one address can't be told apart: of them nothing is known. */
  #learn(taskId: TaskId, ip: string, holds: string | undefined): void {
    const [child, ...others] = [...(this.#children.get(taskId) ?? [])].filter((each) => each.ip === ip);
    const set = holds === undefined || holds === '' ? undefined : PieceSet.parse(holds);
    if (child === undefined || others.length > 0 || set === undefined) return;
    child.holds = set;
  }

  #take(key: string): void {
    const [offer] = this.#offers.get(key) ?? [];
    if (offer === undefined) return;
    offer.cancel();
    this.#remove(key, offer);
    if (offer.isOpen) {
      offer.child.openCount--;
      this.#openCount--;
    }
    this.#takeTimesMs.push(this.#clock.monotonicMs() - offer.madeAtMs);
    if (this.#takeTimesMs.length > MAX_TAKE_TIMES) this.#takeTimesMs.shift();
  }

  #remove(key: string, offer: Offer): void {
    const others = this.#offers.get(key)?.filter((other) => other !== offer) ?? [];
    if (others.length === 0) this.#offers.delete(key);
    else this.#offers.set(key, others);
  }

  /** From the quicker ones: others were busy with something else when they heard of it. */
  #timeoutMs(): number {
    const sorted = [...this.#takeTimesMs].sort((a, b) => a - b);
    const quickMs = sorted[Math.floor(sorted.length / 4)];
    if (quickMs === undefined) return FIRST_OFFER_TIMEOUT_MS;
    return Math.min(Math.max(OFFER_PATIENCE * quickMs, MIN_OFFER_TIMEOUT_MS), MAX_OFFER_TIMEOUT_MS);
  }
}

interface Turns {
  next(child: PacedChild, choose: ChooseOffer, signal: AbortSignal): Promise<number | undefined>;
  recall(): void;
  leave(): void;
}

/** One child of one task. */
export class PacedChild {
  readonly taskId: TaskId;
  offers = 0;
  /** Offers that it may still take, and that hold a place on the line for it. */
  openCount = 0;
  /** What it had or had asked for when it said so last. */
  holds: PieceSet | undefined;
  readonly ip: string;
  readonly #pacing: Turns;

  constructor(taskId: TaskId, ip: string, pacing: Turns) {
    this.taskId = taskId;
    this.ip = ip;
    this.#pacing = pacing;
  }

  /** The piece to tell this child of, once it is its turn; undefined when there is none, or the signal was aborted. `choose` is called at that moment. */
  next(choose: ChooseOffer, signal: AbortSignal): Promise<number | undefined> {
    return this.#pacing.next(this, choose, signal);
  }

  leave(): void {
    this.#pacing.leave();
  }

  /** Ends the wait for a turn, with undefined: something else has happened. */
  recall(): void {
    this.#pacing.recall();
  }
}

/** Who is busy with fewest of our offers, and has heard of fewest, is served first. */
function byNeed({ child: a }: Waiter, { child: b }: Waiter): number {
  return a.openCount - b.openCount || a.offers - b.offers;
}

function keyOf(taskId: TaskId, number: number): string {
  return `${taskId} ${number}`;
}
