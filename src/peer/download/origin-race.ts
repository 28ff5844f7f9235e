import { type Clock, every } from '../../core/clock.js';

/**
 * A scheduler, or parents, that live but say nothing for so long are not waited for alone: pieces come from the origin meanwhile.
 * Dragonfly's scheduler takes up to 2.6 s to find that a peer must go there (docs/WIRE.md 1.5); less would fetch from the origin
 * what peers have.
 */
export const ORIGIN_PATIENCE_MS = 3000;
/** Parents that have spoken, are asked for pieces, and send no byte for so long. A full line is silent for seconds, and no reason. */
export const PARENT_PATIENCE_MS = 5000;
/** So much more silence doubles what the origin is asked for. */
export const ORIGIN_WIDENING_MS = 250;
/** The same while there is no sign of life: who is stopped or gone won't come back for the file. */
export const LIFELESS_WIDENING_MS = 25;
/** Far beyond what any request window lets through. */
const MAX_DOUBLINGS = 10;

/** What is waited for, how long before the origin steps in, and how fast it is asked for more then. In milliseconds. */
interface Wait {
  for: 'life' | 'word' | 'pieces';
  patienceMs: number;
  wideningMs: number;
}

const WORD: Wait = { for: 'word', patienceMs: ORIGIN_PATIENCE_MS, wideningMs: ORIGIN_WIDENING_MS };

/**
 * How many pieces the origin is asked for while others are to give them: none as long as somebody lives and speaks, one once they have been
 * silent too long, twice as many with each further moment of it. Silence is counted in ticks, so that a process that was itself held up
 * for seconds blames nobody for them.
 */
export class OriginRace {
  readonly #clock: Clock;
  readonly #onTick: () => void;
  #wait: Wait = WORD;
  #quietTicks = 0;
  #cancelTick: (() => void) | undefined;

  /** `onTick`: it may be time to ask the origin. */
  constructor(clock: Clock, onTick: () => void) {
    this.#clock = clock;
    this.#onTick = onTick;
  }

  /**
   * From now on a sign of life of the scheduler is waited for, or the first word of any parent. Whoever sees a mere sign calls what is
   * returned; from then on a word is waited for.
   */
  expectLife(patienceMs: number): () => void {
    const wait: Wait = {
      for: 'life',
      patienceMs: Math.min(patienceMs, ORIGIN_PATIENCE_MS),
      wideningMs: LIFELESS_WIDENING_MS,
    };
    this.#restart(wait);
    this.#onTick();
    return () => {
      if (this.#wait === wait && this.#cancelTick !== undefined) this.#restart(WORD);
    };
  }

  /** They are there; from now on pieces are waited for, and longer where somebody gives reason to. */
  heard(patienceMs = PARENT_PATIENCE_MS): void {
    if (!this.wasHeard || patienceMs > this.#wait.patienceMs)
      this.#restart({ for: 'pieces', patienceMs, wideningMs: ORIGIN_WIDENING_MS });
  }

  /** Bytes are asked for only now. */
  asked(patienceMs = PARENT_PATIENCE_MS): void {
    this.heard(patienceMs);
    this.#quietTicks = 0;
  }

  /** Bytes came. */
  moved(): void {
    this.heard();
    this.#quietTicks = 0;
  }

  /** Somebody has spoken since a word was expected. */
  get wasHeard(): boolean {
    return this.#wait.for === 'pieces';
  }

  /** Nobody has shown life, though it was time. */
  get isLifeless(): boolean {
    return this.#wait.for === 'life' && this.width > 0;
  }

  /** Pieces to take from the origin at once. */
  get width(): number {
    if (this.#cancelTick === undefined) return 0;
    const { patienceMs, wideningMs } = this.#wait;
    const beyondMs = this.silentMs - patienceMs;
    return beyondMs < 0 ? 0 : 2 ** Math.min(Math.floor(beyondMs / wideningMs), MAX_DOUBLINGS);
  }

  get silentMs(): number {
    return this.#quietTicks * this.#wait.wideningMs;
  }

  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#quietTicks = 0;
  }

  #restart(wait: Wait): void {
    this.stop();
    this.#wait = wait;
    this.#cancelTick = every(this.#clock, wait.wideningMs, () => {
      this.#quietTicks++;
      this.#onTick();
    });
  }
}
