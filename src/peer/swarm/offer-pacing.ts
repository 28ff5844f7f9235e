import { type Clock, systemClock } from '../../core/clock.js';
import type { TaskId } from '../../core/task-id.js';
import type { OnUpload, UploadProgress } from '../../upload/index.js';
import type { ChildStanding } from '../download/held-pieces.js';
import { Backlogs } from './backlog.js';
import { RequestWindow } from './request-window.js';
import { type ChildName, countSending, PacedChild, type Offer, type Untold } from './paced-child.js';
import { RecentTimes } from './recent-times.js';

/** Pieces on their way to children, and offers that may still be taken, together: at least so many before further offers wait… */
export const MIN_PACED_UPLOADS = 4;
/** …and at most so many, on a line that carries them without a queue. */
export const MAX_PACED_UPLOADS = 64;
/** Of them one child gets at most this share: it may be slow. */
export const MAX_CHILD_SHARE = 0.75;
/** An offer that is not taken for so many times as long as children take when they are quick has lapsed: the child has the piece from elsewhere. */
export const OFFER_PATIENCE = 3;
/** Bounds of that, and what is assumed at first. */
export const MIN_OFFER_TIMEOUT_MS = 300;
export const MAX_OFFER_TIMEOUT_MS = 2_000;
/** An offer of what the child has just said it asked for: here, and its request is on its way, or of somebody else. */
export const CROSSED_OFFER_TIMEOUT_MS = 100;
export const FIRST_OFFER_TIMEOUT_MS = 300;
/** A child alone with a task is not kept waiting; so many offers ahead of what it takes, so that others who come have something to hear. */
export const MAX_UNTAKEN_OFFERS = 16;
/** An upload that takes so many times as long as usual is a slow child's: others don't wait for it. */
export const UPLOAD_PATIENCE = 3;
/** Nor for one that takes this long, whatever is usual. */
export const MAX_PACED_UPLOAD_MS = 10_000;

/** A child that waits so long for what it asked of others hears of it from us as well, or longer where uploads take longer than that. */
export const SPARE_PATIENCE_MS = 1_000;

/** Of the times that children take for an offer the share below which they are quick: others were busy with something else. */
const QUICK = 0.25;
/** How often to see whether a piece was passed on. */
const PASSED_ON_CHECK_MS = 100;
/** How often to see who waits too long. */
const SPARE_CHECK_MS = 250;

interface Waiter {
  child: PacedChild;
  untold: Untold;
  /** What it is to be told of at the end of the round. */
  chosen: number[];
  settle: (numbers: number[]) => void;
}

/**
 * When children of one task hear of the pieces that are here. Were they told at once, all would ask for the same new piece, each would get
 * it late, and none would have anything for the others. So a piece is told to a child that lacks it, when the line has room for one more
 * upload; the child that is furthest behind is first, since it may have no other parent. What comes from the origin is told once, as long as
 * more comes: whoever has it passes it on, while our line brings others something new; first is then the child that has the least left to pass
 * on, since its line is the next to stand idle. A child alone with a task waits for nothing.
 */
export class OfferPacing {
  readonly #clock: Clock;
  readonly #window = new RequestWindow({ min: MIN_PACED_UPLOADS, max: MAX_PACED_UPLOADS });
  readonly #waiting = new Set<Waiter>();
  readonly #children = new Map<TaskId, Set<PacedChild>>();
  readonly #takeTimes = new RecentTimes();
  readonly #uploadTimes = new RecentTimes();
  #openOffers = 0;
  /** Those that others wait for. */
  readonly #uploads = new Set<UploadProgress>();
  #isDue = false;
  /** What is done a while later, once, however often it was wished. */
  readonly #wished = new Set<() => void>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** For the upload side: uploads are what offers wait for. */
  readonly onUpload: OnUpload = ({ task, range, childIp }, progress) => {
    const number = Math.floor(range.offset / task.pieceLength);
    const child = this.#take(task.taskId, number, childIp);
    const leaveLine = (): void => {
      if (!this.#uploads.delete(progress)) return;
      cancel();
      this.#look();
    };
    this.#uploads.add(progress);
    child?.uploads.add(progress);
    const cancel = this.#clock.after(this.#uploadTimeoutMs(), leaveLine, { unref: true });
    return ({ result, bytesSent, durationMs, waitedMs }) => {
      const atOnce = countSending(this.#uploads) + (this.#uploads.has(progress) ? 0 : 1);
      if (result === 'complete' && bytesSent > 0) {
        this.#window.finished({ peer: childIp, bytes: bytesSent, durationMs: durationMs - waitedMs, atOnce });
        this.#uploadTimes.add(durationMs);
      }
      child?.uploads.delete(progress);
      if (result !== 'complete') child?.taken.delete(number);
      leaveLine();
      this.#look();
    };
  };

  /** A child that is to hear of a task's pieces; it must leave exactly once. */
  join(who: ChildName): PacedChild {
    const child = new PacedChild(who, {
      next: (...turn) => this.#next(...turn),
      recall: () => this.#recall(child),
      leave: () => this.#leave(child),
    });
    this.#children.set(who.taskId, (this.#children.get(who.taskId) ?? new Set()).add(child));
    return child;
  }

  hasChildren(taskId: TaskId): boolean {
    return this.#children.has(taskId);
  }

  /** Somebody at this address listens to what we have of the task. */
  hasChild(taskId: TaskId, ip: string): boolean {
    return this.#childrenOf(taskId).some((child) => child.ip === ip);
  }

  /** Children that have a piece or have asked for it, by what they say. */
  copies(taskId: TaskId, number: number): number {
    let copies = 0;
    for (const { held } of this.#children.get(taskId) ?? []) if (held?.has(number) === true) copies++;
    return copies;
  }

  /** A child says what it needs no more, and who else may give it the rest. */
  learn({ taskId, hostId, ip }: ChildName, { held, here, parentHostIds }: ChildStanding): void {
    for (const child of this.#childrenOf(taskId)) {
      if (child.hostId !== hostId || child.ip !== ip) continue;
      child.held = held;
      child.here = here;
      if (parentHostIds.length > 0) child.parentHostIds = new Set(parentHostIds);
      // Asked for: here, and we shall know at once, or of somebody else.
      for (const [number, offer] of child.offers)
        if (offer.isOpen && held.has(number)) this.#lapseAfter(CROSSED_OFFER_TIMEOUT_MS, child, offer);
    }
    this.#look();
  }

  #childrenOf(taskId: TaskId): PacedChild[] {
    return [...(this.#children.get(taskId) ?? [])];
  }

  #leave(child: PacedChild): void {
    for (const offer of child.offers.values()) this.#lapse(child, offer);
    const others = this.#children.get(child.taskId);
    others?.delete(child);
    if (others?.size === 0) this.#children.delete(child.taskId);
    this.#look();
  }

  async #next(child: PacedChild, untold: Untold, signal: AbortSignal): Promise<number[]> {
    if (signal.aborted) return [];
    return new Promise((resolve) => {
      const settle = (numbers: number[]): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        resolve(numbers);
      };
      const onAbort = (): void => settle([]);
      const waiter: Waiter = { child, untold, settle, chosen: [] };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
      this.#look();
      this.#onceAfter(SPARE_CHECK_MS, this.#lookForSpares);
    });
  }

  /** What children asked of others they may need of us, if those fail them: that waits for no turn, and is told only when it may be so. */
  readonly #lookForSpares = (): void => {
    for (const waiter of [...this.#waiting]) this.#tellSpares(waiter);
    if (this.#waiting.size > 0) this.#onceAfter(SPARE_CHECK_MS, this.#lookForSpares);
  };

  #tellSpares({ child, untold, settle }: Waiter): void {
    const nowMs = this.#clock.monotonicMs();
    const patienceMs = Math.min(Math.max(SPARE_PATIENCE_MS, this.#longUploadMs ?? 0), MAX_PACED_UPLOAD_MS);
    const spares: number[] = [];
    for (;;) {
      const spare = untold.choose((number) => child.waitsLongerThan(patienceMs, number, nowMs));
      if (spare === undefined) break;
      spares.push(spare);
    }
    if (spares.length > 0) settle(spares);
  }

  #recall(child: PacedChild): void {
    for (const waiter of [...this.#waiting]) if (waiter.child === child) waiter.settle([]);
  }

  #onceAfter(ms: number, work: () => void): void {
    if (this.#wished.has(work)) return;
    this.#wished.add(work);
    const run = (): void => {
      this.#wished.delete(work);
      work();
    };
    this.#clock.after(ms, run, { unref: true });
  }

  /** A little later: whoever waits for the same event is to be there then, so that coming first is no advantage. */
  readonly #look = (): void => {
    if (this.#isDue || this.#waiting.size === 0) return;
    this.#isDue = true;
    this.#clock.after(0, () => {
      this.#isDue = false;
      for (const waiter of this.#waiting)
        while (this.#isAlone(waiter.child) && waiter.child.openOffers < MAX_UNTAKEN_OFFERS && this.#serve(waiter));
      const backlogs = new Backlogs((taskId) => this.#children.get(taskId) ?? []);
      const places = this.#window.size + this.#offersAhead;
      const sending = countSending(this.#uploads);
      while (sending + this.#openOffers < places && this.#serveNext(backlogs));
      for (const { chosen, settle } of [...this.#waiting]) if (chosen.length > 0) settle(chosen);
    });
  };

  /** Offers beyond what the line takes at once, for the time in which they are not yet taken. */
  get #offersAhead(): number {
    const quickMs = this.#takeTimes.quantile(QUICK);
    const usualMs = this.#uploadTimes.quantile(0.5);
    if (quickMs === undefined || usualMs === undefined) return 0;
    return Math.floor(this.#window.size * Math.min(quickMs / usualMs, 1));
  }

  /** False when it is nobody's turn. */
  #serveNext(backlogs: Backlogs): boolean {
    const maxLoad = Math.ceil(this.#window.size * MAX_CHILD_SHARE);
    const free = [...this.#waiting].filter(({ child }) => child.load < maxLoad);
    free.sort((a, b) => backlogs.of(a.child) - backlogs.of(b.child) || byNeed(a, b));
    const served = free.find((waiter) => this.#serve(waiter));
    if (served !== undefined) backlogs.changed(served.child);
    return served !== undefined;
  }

  #isAlone({ taskId }: PacedChild): boolean {
    return (this.#children.get(taskId)?.size ?? 0) <= 1;
  }

  /** False when there is nothing for the child: then it need not wait any longer. */
  #serve({ child, untold, chosen, settle }: Waiter): boolean {
    const children = this.#childrenOf(child.taskId);
    const parents = children.filter(({ hostId }) => child.parentHostIds.has(hostId));
    const sinceMs = this.#clock.monotonicMs() - this.#uploadTimeoutMs();
    const isPassedOn = (number: number): boolean =>
      untold.isNews(number) && parents.some((each) => each.mayHave(number) && each.wasToldAfter(sinceMs, number));
    const number = untold.choose(
      (each) => child.lacks(each) && !isPassedOn(each),
      // An offer that has lapsed may still be taken: what nobody was told of yet comes before it.
      (each) => children.filter((other) => other.mayHave(each) || other.wasToldAfter(sinceMs, each)).length,
    );
    if (number === undefined) {
      // Somebody may not pass a piece on in time.
      if (untold.some((each) => child.lacks(each))) this.#onceAfter(PASSED_ON_CHECK_MS, this.#look);
      // What it waits for from others it may need of us yet.
      else if (!untold.some((each) => !child.has(each))) settle(chosen);
      return false;
    }
    chosen.push(number);
    if (untold.isNews(number)) child.gotNews(number);
    const offer: Offer = { madeAtMs: this.#clock.monotonicMs(), isOpen: true, cancel: () => undefined };
    child.told(number, offer);
    this.#openOffers++;
    this.#lapseAfter(this.#offerTimeoutMs(), child, offer);
    return true;
  }

  #lapseAfter(ms: number, child: PacedChild, offer: Offer): void {
    offer.cancel();
    offer.cancel = this.#clock.after(ms, () => this.#lapse(child, offer), { unref: true });
  }

  #lapse(child: PacedChild, offer: Offer): void {
    offer.cancel();
    if (!offer.isOpen) return;
    offer.isOpen = false;
    child.openOffers--;
    this.#openOffers--;
    this.#look();
  }

  /** Who has asked for the piece: of several behind one address the one who was told of it. Undefined: nobody we know. */
  #take(taskId: TaskId, number: number, ip: string): PacedChild | undefined {
    const behind = this.#childrenOf(taskId).filter((each) => each.ip === ip);
    const child = behind.find(({ offers }) => offers.has(number)) ?? behind[0];
    const offer = child?.offers.get(number);
    if (child === undefined || offer === undefined) return child;
    this.#takeTimes.add(this.#clock.monotonicMs() - offer.madeAtMs);
    this.#lapse(child, offer);
    child.offers.delete(number);
    child.taken.add(number);
    return child;
  }

  #offerTimeoutMs(): number {
    const quickMs = this.#takeTimes.quantile(QUICK);
    if (quickMs === undefined) return FIRST_OFFER_TIMEOUT_MS;
    return Math.min(Math.max(OFFER_PATIENCE * quickMs, MIN_OFFER_TIMEOUT_MS), MAX_OFFER_TIMEOUT_MS);
  }

  /** When an upload takes too long. */
  #uploadTimeoutMs(): number {
    return Math.min(this.#longUploadMs ?? Infinity, MAX_PACED_UPLOAD_MS);
  }

  /** Much longer than is usual; undefined while that is not known. */
  get #longUploadMs(): number | undefined {
    const usualMs = this.#uploadTimes.quantile(0.5);
    return usualMs === undefined ? undefined : UPLOAD_PATIENCE * usualMs;
  }
}

/** Who is furthest behind is served first; of several the one that is busy with fewest of our offers. */
function byNeed({ child: a }: Waiter, { child: b }: Waiter): number {
  return a.progress - b.progress || a.load - b.load;
}
