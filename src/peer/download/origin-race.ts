import type { Clock } from '../../core/clock.js';

/**
 * Scheduler or parents that say nothing for so long are not waited for alone: pieces come from the origin meanwhile. Dragonfly's scheduler
 * takes up to 2.6 s to find that a peer must go there (Dragonfly v2 wire facts, 1.5); less would fetch from the origin what peers have.
 */
export const ORIGIN_PATIENCE_MS = 3000;
/** Parents that have spoken, are asked for pieces, and send no byte for so long. A full line is silent for seconds, and no reason. */
export const PARENT_PATIENCE_MS = 5000;
/** So much more silence doubles what the origin is asked for. */
export const ORIGIN_WIDENING_MS = 250;
const TICK_MS = ORIGIN_WIDENING_MS;
/** Far beyond what any request window lets through. */
const MAX_DOUBLINGS = 10;

/**
 * How many pieces the origin is asked for while others are to give them: none as long as somebody speaks, one once they have been
 * silent too long, twice as many with each further moment of it. Silence is counted in ticks, so that a process that was itself held up
 * for seconds blames nobody for them.
 */
export class OriginRace {
  readonly #clock: Clock;
  readonly #onTick: () => void;
  #patienceMs = ORIGIN_PATIENCE_MS;
  #quietTicks = 0;
  #cancelTick: (() => void) | undefined;

  /** `onTick`: it may be time to ask the origin. */
  constructor(clock: Clock, onTick: () => void) {
    this.#clock = clock;
    this.#onTick = onTick;
  }

  /** From now on the scheduler's answer, or the first word of parents, is waited for. */
  expectWord(): void {
    this.#patienceMs = ORIGIN_PATIENCE_MS;
    this.#restart();
  }

  /** They are there; from now on pieces are waited for. */
  heard(): void {
    if (this.#patienceMs === PARENT_PATIENCE_MS) return;
    this.#patienceMs = PARENT_PATIENCE_MS;
    this.#restart();
  }

  /** Bytes came, or are asked for only now. */
  moved(): void {
    this.heard();
    this.#quietTicks = 0;
  }

  /** Somebody has spoken since a word was expected. */
  get wasHeard(): boolean {
    return this.#patienceMs === PARENT_PATIENCE_MS;
  }

  /** Pieces to take from the origin at once. */
  get width(): number {
    const beyondMs = this.silentMs - this.#patienceMs;
    return beyondMs < 0 ? 0 : 2 ** Math.min(Math.floor(beyondMs / ORIGIN_WIDENING_MS), MAX_DOUBLINGS);
  }

  get silentMs(): number {
    return this.#quietTicks * TICK_MS;
  }

  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#quietTicks = 0;
  }

  #restart(): void {
    this.stop();
    this.#wait();
  }

  #wait(): void {
    this.#cancelTick = this.#clock.after(
      TICK_MS,
      () => {
        this.#quietTicks++;
        this.#wait();
        this.#onTick();
      },
      { unref: true },
    );
  }
}
