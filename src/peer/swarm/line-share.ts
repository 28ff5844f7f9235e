import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import type { TaskId } from '../../core/task-id.js';
import { countSending } from './paced-child.js';
import { setRateCeiling, UNSENT_LIMIT_BYTES, type OnUpload, type UploadProgress } from '../../upload/index.js';

/** How often it is seen what the line carries. */
export const SHARE_INTERVAL_MS = 250;
/** Looks of which what the line carries is the mean. */
const LOOKS = 4;
/** All ceilings together are this much more than the line has carried, so that it can turn out to carry more… */
export const HEADROOM = 1.3;
/** …and grow by this much with each look at a line that carries more than was known, or less: some connections don't take their share. */
const HEADROOM_GROWTH = 1.5;
const MIN_USED = 0.75;
const MAX_SURPRISE = 1.05;
/** What it shrinks by otherwise. */
const HEADROOM_DECAY = 0.97;
/** What the line has carried once counts for so much less with each look. */
const LINE_DECAY = 0.995;
/** A line that carries this much, in bytes per second, needs no care: a piece takes milliseconds, and pacing costs processor time. */
export const FAST_LINE = 300_000_000;

interface Sharer {
  socket: Socket;
  progress: UploadProgress;
  seenBytes: number;
  ceiling: number | undefined;
}

/** At what went out since the one before. */
interface Look {
  atMs: number;
  bytes: number;
  /** Somebody's piece was still on its way to us: the line was idle for no fault of its own. */
  isWaiting: boolean;
}

export interface LineShareOptions {
  clock?: Clock;
  /** Only uploads to children that pass pieces on are cared for. */
  isPeer: (taskId: TaskId, ip: string) => boolean;
  setCeiling?: typeof setRateCeiling;
}

/**
 * Keeps uploads to peers from crowding each other out of our line. TCP shares a full line fairly in the long run; a piece is a short run:
 * one connection gets most of the line, another one sends a piece for ten times as long, which nobody can pass on meanwhile. So while
 * several are under way, none may send at much more than its share of what the line has been seen to carry (SO_MAX_PACING_RATE).
 */
export class LineShare {
  readonly #clock: Clock;
  readonly #isPeer: LineShareOptions['isPeer'];
  readonly #setCeiling: typeof setRateCeiling;
  readonly #sharers = new Set<Sharer>();
  /** Bytes per second that it has carried lately; 0: not known. */
  #line = 0;
  #headroom = HEADROOM;
  /** Sent since the last look by uploads that have ended. */
  #endedBytes = 0;
  /** The last ones, the first of them when it all began; none while nobody sends. */
  #looks: Look[] = [];

  constructor({ clock = systemClock, isPeer, setCeiling = setRateCeiling }: LineShareOptions) {
    this.#clock = clock;
    this.#isPeer = isPeer;
    this.#setCeiling = setCeiling;
  }

  /** For the upload side. */
  readonly onUpload: OnUpload = ({ task, childIp, socket }, progress) => {
    if (!this.#isPeer(task.taskId, childIp)) return () => undefined;
    const sharer: Sharer = { socket, progress, seenBytes: 0, ceiling: undefined };
    this.#sharers.add(sharer);
    this.#startLooking();
    this.#share();
    return ({ bytesSent }) => {
      this.#endedBytes += bytesSent - sharer.seenBytes;
      this.#sharers.delete(sharer);
      // The connection's next upload may be the only one.
      this.#limit(sharer, undefined);
      this.#share();
    };
  };

  /** What one connection may send now, in bytes per second; undefined: whatever it can. */
  get #ceiling(): number | undefined {
    const sharers = this.#sending;
    if (this.#line === 0 || this.#line >= FAST_LINE || this.#headroom >= sharers) return undefined;
    return (this.#headroom * this.#line) / sharers;
  }

  get #sending(): number {
    return countSending([...this.#sharers].map(({ progress }) => progress));
  }

  #share(): void {
    const ceiling = this.#ceiling;
    for (const sharer of this.#sharers) this.#limit(sharer, ceiling);
  }

  #limit(sharer: Sharer, ceiling: number | undefined): void {
    if (sharer.ceiling === ceiling) return;
    sharer.ceiling = ceiling;
    this.#setCeiling(sharer.socket, ceiling);
  }

  #startLooking(): void {
    if (this.#looks.length > 0) return;
    // An idle line says nothing of what it can carry.
    this.#looks = [{ atMs: this.#clock.monotonicMs(), bytes: 0, isWaiting: false }];
    this.#endedBytes = 0;
    this.#lookLater();
  }

  #lookLater(): void {
    this.#clock.after(SHARE_INTERVAL_MS, () => this.#look(), { unref: true });
  }

  #look(): void {
    const rate = this.#takeRate();
    const isUsed = rate >= MIN_USED * this.#line || this.#looks.some(({ isWaiting }) => isWaiting);
    const isUnderstood = isUsed && rate <= MAX_SURPRISE * this.#line;
    this.#headroom = isUnderstood
      ? Math.max(HEADROOM, this.#headroom * HEADROOM_DECAY)
      : Math.min(this.#headroom * HEADROOM_GROWTH, Math.max(HEADROOM, this.#sharers.size));
    this.#line = Math.max(rate, this.#line * LINE_DECAY);
    this.#share();
    if (this.#sharers.size > 0) this.#lookLater();
    else this.#looks = [];
  }

  /** Of the last looks, in bytes per second. */
  #takeRate(): number {
    const isWaiting = this.#sending < this.#sharers.size;
    const look = { atMs: this.#clock.monotonicMs(), bytes: this.#takeBytes(), isWaiting };
    const [first = look, ...later] = this.#looks;
    this.#looks = [...(this.#looks.length > LOOKS ? later : this.#looks), look];
    const bytes = later.reduce((sum, each) => sum + each.bytes, look.bytes);
    return (bytes / Math.max(look.atMs - first.atMs, 1)) * 1000;
  }

  /** Sent since the last look. */
  #takeBytes(): number {
    let bytes = this.#endedBytes;
    this.#endedBytes = 0;
    for (const sharer of this.#sharers) {
      // The first of it fills the kernel's buffer, not the line.
      const sentBytes = Math.max(sharer.progress.bytesSent - UNSENT_LIMIT_BYTES, 0);
      bytes += sentBytes - sharer.seenBytes;
      sharer.seenBytes = sentBytes;
    }
    return bytes;
  }
}
