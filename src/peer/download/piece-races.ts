import type { Clock } from '../../core/clock.js';
import { type DfpeerError, toDfpeerError } from '../../core/errors.js';
import type { StoredPiece } from '../../core/piece.js';
import type { ParentLink } from './parent-link.js';

/** A piece is asked of a second parent once it has taken so many times as long as the usual piece… */
export const HEDGE_FACTOR = 3;
/** …and at least this long. */
export const MIN_HEDGE_MS = 1000;
/** Costs remembered for what is usual. */
const MAX_COSTS = 32;

export interface PieceRacesContext {
  clock: Clock;
  /** Ends all races. */
  signal: AbortSignal;
  /** Fetches from one parent into the file; undefined when that failed. Settles only when it writes no more. */
  fetch: (link: ParentLink, number: number, signal: AbortSignal) => Promise<StoredPiece | undefined>;
  /** Whether the bytes in the file are those of the piece. */
  verify: (piece: StoredPiece) => Promise<boolean>;
}

interface Race {
  number: number;
  startedAtMs: number;
  lanes: Map<ParentLink, AbortController>;
  isHedged: boolean;
  outcome: StoredPiece | undefined;
  error: DfpeerError | undefined;
  settle: () => void;
}

/**
 * Pieces on their way from parents, each from one, or from two when the first is slow: the first right answer wins. Both write to
 * the same place in the file, so a race ends only when nobody writes any more, and what then lies there is checked once again.
 */
export class PieceRaces {
  readonly #context: PieceRacesContext;
  readonly #races = new Map<number, Race>();
  readonly #costsMs: number[] = [];
  /** Pieces whose race spoilt them: the next time one parent alone shall have the blame. */
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

  /** Who is asked for what, and since when. */
  underWay(): { number: number; parents: ParentLink[]; forMs: number }[] {
    const now = this.#context.clock.monotonicMs();
    return [...this.#races.values()].map(({ number, lanes, startedAtMs }) => ({
      number,
      parents: [...lanes.keys()],
      forMs: now - startedAtMs,
    }));
  }

  /** The piece once it is in the file; undefined when no parent could give it. @throws DfpeerError DFP_STORE_* */
  async run(number: number, link: ParentLink): Promise<StoredPiece | undefined> {
    const { clock, signal, verify } = this.#context;
    let settle: () => void = () => undefined;
    const settled = new Promise<void>((resolve) => (settle = resolve));
    const startedAtMs = clock.monotonicMs();
    const race: Race = {
      ...{ number, startedAtMs, settle, lanes: new Map(), isHedged: false, outcome: undefined, error: undefined },
    };
    const onAbort = (): void => abortAll(race, signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#races.set(number, race);
    this.#enter(race, link);
    await settled;
    signal.removeEventListener('abort', onAbort);
    this.#races.delete(number);
    if (race.error !== undefined) throw race.error;
    if (race.outcome === undefined || signal.aborted) return undefined;
    this.#costsMs.push(race.outcome.costMs);
    if (this.#costsMs.length > MAX_COSTS) this.#costsMs.shift();
    if (!race.isHedged || (await verify(race.outcome))) return race.outcome;
    this.#spoilt.add(number);
    return undefined;
  }

  /** The piece that is slowest compared with those before it, and who is asked already; none is hedged again that was spoilt by it. */
  slowest(unknownCostMs: number): { number: number; asked: ParentLink[] } | undefined {
    const usualMs = median(this.#costsMs);
    const patienceMs = Math.max(MIN_HEDGE_MS, usualMs === undefined ? unknownCostMs : HEDGE_FACTOR * usualMs);
    const since = this.#context.clock.monotonicMs() - patienceMs;
    let slowest: Race | undefined;
    for (const race of this.#races.values())
      if (
        !race.isHedged &&
        !this.#spoilt.has(race.number) &&
        race.outcome === undefined &&
        race.lanes.size > 0 &&
        race.startedAtMs <= since
      )
        if (slowest === undefined || race.startedAtMs < slowest.startedAtMs) slowest = race;
    return slowest === undefined ? undefined : { number: slowest.number, asked: [...slowest.lanes.keys()] };
  }

  /** Asks one more parent for a piece that is under way. */
  hedge(number: number, link: ParentLink): void {
    const race = this.#races.get(number);
    if (race === undefined || race.lanes.has(link)) return;
    race.isHedged = true;
    this.#enter(race, link);
  }

  #enter(race: Race, link: ParentLink): void {
    const controller = new AbortController();
    race.lanes.set(link, controller);
    if (this.#context.signal.aborted) controller.abort(this.#context.signal.reason);
    this.#context.fetch(link, race.number, controller.signal).then(
      (piece) => {
        if (piece !== undefined) race.outcome ??= piece;
        leave(race, link);
      },
      (error: unknown) => {
        race.error ??= toDfpeerError(error);
        leave(race, link);
      },
    ); // prettier-ignore
  }
}

function leave(race: Race, link: ParentLink): void {
  race.lanes.delete(link);
  if (race.outcome !== undefined || race.error !== undefined) abortAll(race, new Error('another parent was faster'));
  if (race.lanes.size === 0) race.settle();
}

function abortAll(race: Race, reason: unknown): void {
  for (const controller of race.lanes.values()) controller.abort(reason);
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
