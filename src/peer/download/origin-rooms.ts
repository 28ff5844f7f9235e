import type { Clock } from '../../core/clock.js';
import { WaitingLine } from '../../core/waiting-line.js';

/** After an origin has turned a request away, so many must be answered before one more at once is tried than it took. */
export const ANSWERS_FOR_TRUST = 16;
/** Who has waited so long for others to be done with an origin asks it all the same. */
export const ROOM_TIMEOUT_MS = 60_000;

/** How many requests of this host an origin takes at once. Until it turns one away nobody waits, then it has as many as it took. */
export class OriginRoom {
  readonly #line: WaitingLine;
  readonly #onEmpty: () => void;
  #capacity = Infinity;
  /** Asking, or about to ask again. */
  #insideCount = 0;
  #askingCount = 0;
  #answerCount = 0;

  constructor(clock: Clock, onEmpty: () => void) {
    this.#line = new WaitingLine(clock);
    this.#onEmpty = onEmpty;
  }

  /** Resolves when there is room, in turn; then `leave` must be called. @throws the signal's reason */
  async enter(waitingFor: string, signal: AbortSignal): Promise<void> {
    if (this.#insideCount < this.#capacity) this.#insideCount++;
    else await this.#wait(waitingFor, signal);
  }

  leave(): void {
    this.#insideCount--;
    this.#admit();
    if (this.#insideCount === 0 && this.#line.length === 0) this.#onEmpty();
  }

  /** One request. */
  async ask<T>(request: () => Promise<T>): Promise<T> {
    this.#askingCount++;
    try {
      const answer = await request();
      if (++this.#answerCount % ANSWERS_FOR_TRUST === 0) this.#capacity++;
      this.#admit();
      return answer;
    } finally {
      this.#askingCount--;
    }
  }

  /** A request is over, turned away because of too many. Whether that may be so: others are asking. */
  turnedAway(): boolean {
    this.#capacity = Math.max(1, Math.min(this.#capacity, this.#askingCount));
    this.#answerCount = 0;
    return this.#askingCount > 0;
  }

  /** Even alone one got nothing: it is no matter of room, and nobody need wait for others to find out. */
  open(): void {
    this.#capacity = Infinity;
    this.#admit();
  }

  async #wait(waitingFor: string, signal: AbortSignal): Promise<void> {
    const tooLong = new Error('waited long enough');
    try {
      await this.#line.wait(undefined, { waitingFor, signal, timeoutMs: ROOM_TIMEOUT_MS, onTimeout: () => tooLong });
    } catch (error) {
      if (error !== tooLong) throw error;
      this.#insideCount++;
    }
  }

  #admit(): void {
    for (const waiter of this.#line) {
      if (this.#insideCount >= this.#capacity) return;
      this.#insideCount++;
      waiter.admit();
    }
  }
}

/** The rooms of all origins that downloads are asking; what is known of one is forgotten when nobody asks it. */
export class OriginRooms {
  readonly #clock: Clock;
  readonly #rooms = new Map<string, OriginRoom>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be made use of at once. */
  of(url: string): OriginRoom {
    // Whoever asks for it says what is wrong with it.
    const origin = URL.canParse(url) ? new URL(url).origin : '';
    const room = this.#rooms.get(origin) ?? new OriginRoom(this.#clock, () => this.#rooms.delete(origin));
    this.#rooms.set(origin, room);
    return room;
  }
}
