import type { Clock } from '../../core/clock.js';
import { type DfpeerError, toDfpeerError } from '../../core/errors.js';
import { RecentTimes } from '../swarm/recent-times.js';
import type { CollectedPiece } from './carriage.js';
import type { ParentLink } from './parent-link.js';

/** The origin, as one of those who race for a piece. */
export const ORIGIN = { id: 'the origin' } as const;
/** Whom a piece is asked of. */
export type PieceGiver = ParentLink | typeof ORIGIN;

/** A piece is asked of a second one once it has taken so many times as long as the usual piece… */
export const HEDGE_FACTOR = 3;
/** …and at least this long. */
export const MIN_HEDGE_MS = 1000;

export interface PieceRacesContext {
  clock: Clock;
  /** Ends all races. */
  signal: AbortSignal;
  /** Fetches from one of them into the file; undefined when that failed. Settles only when it writes no more. */
  fetch: (source: PieceGiver, number: number, signal: AbortSignal) => Promise<CollectedPiece | undefined>;
  /** Whether the bytes in the file are those of the piece. */
  verify: (piece: CollectedPiece) => Promise<boolean>;
}

interface Race {
  number: number;
  startedAtMs: number;
  lanes: Map<PieceGiver, AbortController>;
  isHedged: boolean;
  outcome: CollectedPiece | undefined;
  error: DfpeerError | undefined;
  settle: () => void;
}

/**
 * Pieces on their way, each from one parent or the origin, or from two when the first is slow: the first right answer wins. Both write to
 * the same place in the file, so a race ends only when nobody writes any more, and what then lies there is checked once again.
 */
export class PieceRaces {
  readonly #context: PieceRacesContext;
  readonly #races = new Map<number, Race>();
  readonly #costs = new RecentTimes();
  /** Pieces whose race spoilt them: the next time one alone shall have the blame. */
  readonly #spoilt = new Set<number>();

  constructor(context: PieceRacesContext) {
    this.#context = context;
  }

  /** Requests beyond the first for a piece. */
  get hedgeCount(): number {
    let count = 0;
    for (const { lanes } of this.#races.values()) count += Math.max(0, lanes.size - 1);
    return count;
  }

  /** Pieces that the origin is asked for. */
  get originCount(): number {
    return this.#count(({ lanes }) => lanes.has(ORIGIN));
  }

  /** Pieces that parents are asked for. */
  get parentCount(): number {
    return this.#count(({ lanes }) => lanes.size > (lanes.has(ORIGIN) ? 1 : 0));
  }

  /** Who is asked for what, and since when. */
  underWay(): { number: number; sources: PieceGiver[]; forMs: number }[] {
    const now = this.#context.clock.monotonicMs();
    return [...this.#races.values()].map(({ number, lanes, startedAtMs }) => ({
      number,
      sources: [...lanes.keys()],
      forMs: now - startedAtMs,
    }));
  }

  /** The piece once it is in the file; undefined when nobody could give it. @throws DfpeerError DFP_STORE_* */
  async run(number: number, source: PieceGiver): Promise<CollectedPiece | undefined> {
    const { clock, signal, verify } = this.#context;
    let settle: () => void = () => undefined;
    const settled = new Promise<void>((resolve) => (settle = resolve));
    const startedAtMs = clock.monotonicMs();
    const race: Race = {
      number,
      startedAtMs,
      lanes: new Map(),
      isHedged: false,
      outcome: undefined,
      error: undefined,
      settle,
    };
    const onAbort = (): void => abortAll(race, signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#races.set(number, race);
    this.#enter(race, source);
    await settled;
    signal.removeEventListener('abort', onAbort);
    this.#races.delete(number);
    if (race.error !== undefined) throw race.error;
    if (race.outcome === undefined || signal.aborted) return undefined;
    // What is usual is measured with parents: they are those who may be slow.
    if (race.outcome.parentId !== undefined) this.#costs.add(race.outcome.costMs);
    if (!race.isHedged || (await verify(race.outcome))) return race.outcome;
    this.#spoilt.add(number);
    return undefined;
  }

  /** The piece that is slowest compared with those before it, and who is asked already; none is hedged again that was spoilt by it. */
  slowest(unknownCostMs: number): { number: number; asked: PieceGiver[] } | undefined {
    const usualMs = this.#costs.quantile(0.5);
    return this.oldest(Math.max(MIN_HEDGE_MS, usualMs === undefined ? unknownCostMs : HEDGE_FACTOR * usualMs));
  }

  /** The same of those that take longer than `patienceMs`, whatever is usual; of some only, by who is asked for them. */
  oldest(
    patienceMs: number,
    isEligible: (asked: PieceGiver[]) => boolean = () => true,
  ): { number: number; asked: PieceGiver[] } | undefined {
    const since = this.#context.clock.monotonicMs() - patienceMs;
    let slowest: Race | undefined;
    for (const race of this.#races.values())
      if (
        !race.isHedged &&
        !this.#spoilt.has(race.number) &&
        race.outcome === undefined &&
        race.lanes.size > 0 &&
        race.startedAtMs <= since &&
        isEligible([...race.lanes.keys()])
      )
        if (slowest === undefined || race.startedAtMs < slowest.startedAtMs) slowest = race;
    return slowest === undefined ? undefined : { number: slowest.number, asked: [...slowest.lanes.keys()] };
  }

  /** Asks one more for a piece that is under way. */
  hedge(number: number, source: PieceGiver): void {
    const race = this.#races.get(number);
    if (race === undefined || race.lanes.has(source)) return;
    race.isHedged = true;
    this.#enter(race, source);
  }

  #count(isOne: (race: Race) => boolean): number {
    let count = 0;
    for (const race of this.#races.values()) if (isOne(race)) count++;
    return count;
  }

  #enter(race: Race, source: PieceGiver): void {
    const controller = new AbortController();
    race.lanes.set(source, controller);
    if (this.#context.signal.aborted) controller.abort(this.#context.signal.reason);
    this.#context.fetch(source, race.number, controller.signal).then(
      (piece) => {
        if (piece !== undefined) race.outcome ??= piece;
        leave(race, source);
      },
      (error: unknown) => {
        race.error ??= toDfpeerError(error);
        leave(race, source);
      },
    ); // prettier-ignore
  }
}

function leave(race: Race, source: PieceGiver): void {
  race.lanes.delete(source);
  if (race.outcome !== undefined || race.error !== undefined) abortAll(race, new Error('another one was faster'));
  if (race.lanes.size === 0) race.settle();
}

function abortAll(race: Race, reason: unknown): void {
  for (const controller of race.lanes.values()) controller.abort(reason);
}
