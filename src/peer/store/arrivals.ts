import type { Clock } from '../../core/clock.js';
import { abortReason } from '../../core/deadline.js';
import { DfpeerError } from '../../core/errors.js';
import { blockCount } from '../../core/piece-blocks.js';
import type { PieceSlice } from '../../core/piece.js';
import type { BlocksRequest } from '../fetch/piece-fetcher.js';
import type { PieceBlocks } from '../../upload/piece-source.js';
import { RecentTimes } from '../swarm/recent-times.js';
import type { RememberedArrivals } from './remembered-arrivals.js';

/** With so long between blocks a piece is not passed on: a child would take the silence for that of its parent. */
export const MAX_BLOCK_MS = 5_000;

/** How quickly a piece comes, and what is usual. */
interface ArrivalPace {
  ageMs: () => number;
  /** Infinity while nobody knows. */
  usualMs: () => number;
  /** Others may hear of the piece now. */
  onTold: () => void;
}

/** One attempt to bring a piece into the file, as it comes block by block. */
export class Arrival implements PieceBlocks, BlocksRequest {
  readonly slice: PieceSlice;
  readonly blockLength: number;
  readonly isFromOrigin: boolean;
  readonly #sums: number[] = [];
  readonly #pace: ArrivalPace;
  #isTold = false;
  readonly #waiting = new Set<() => void>();
  readonly #broken = new Set<() => void>();
  #isBroken = false;

  constructor(
    slice: PieceSlice,
    { blockLength, isFromOrigin }: { blockLength: number; isFromOrigin: boolean },
    pace: ArrivalPace,
  ) {
    this.slice = slice;
    this.blockLength = blockLength;
    this.isFromOrigin = isFromOrigin;
    this.#pace = pace;
  }

  get ageMs(): number {
    return this.#pace.ageMs();
  }

  get complete(): boolean {
    return !this.#isBroken && this.#sums.length === blockCount(this.slice.length, this.blockLength);
  }

  /** Some of it is here, and the rest is to be expected soon. */
  get isTold(): boolean {
    return this.#isTold && !this.#isBroken;
  }

  /** One block more is in the file and verified. */
  readonly onBlock = (sum: number): void => {
    if (this.#isBroken || this.complete) return;
    this.#sums.push(sum);
    for (const look of [...this.#waiting]) look();
    if (this.#isTold || !this.#isSoonComplete) return;
    this.#isTold = true;
    this.#pace.onTold();
  };

  /** Nothing of it may be served any more. Idempotent. */
  break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    for (const look of [...this.#waiting]) look();
    for (const listener of [...this.#broken]) listener();
    this.#broken.clear();
  }

  onBroken(listener: () => void): () => void {
    if (this.#isBroken) listener();
    else this.#broken.add(listener);
    return () => void this.#broken.delete(listener);
  }

  sum(index: number, signal: AbortSignal): number | Promise<number> {
    if (!this.#isBroken && !signal.aborted) return this.#sums[index] ?? this.#wait(index, signal);
    return Promise.reject(signal.aborted ? abortReason(signal, 'the wait for a block') : this.#breakage());
  }

  /** Who is told of a slow piece has one request fewer for others while it waits. */
  get #isSoonComplete(): boolean {
    const here = this.#sums.length;
    const missing = blockCount(this.slice.length, this.blockLength) - here;
    const blockMs = this.#pace.ageMs() / here;
    return missing === 0 || (blockMs <= MAX_BLOCK_MS && blockMs * missing <= this.#pace.usualMs());
  }

  #wait(index: number, signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const sum = this.#sums[index];
        if (sum === undefined && !this.#isBroken && !signal.aborted) return;
        this.#waiting.delete(look);
        signal.removeEventListener('abort', look);
        if (signal.aborted) reject(abortReason(signal, 'the wait for a block'));
        else if (this.#isBroken || sum === undefined) reject(this.#breakage());
        else resolve(sum);
      };
      this.#waiting.add(look);
      signal.addEventListener('abort', look, { once: true });
    });
  }

  #breakage(): DfpeerError {
    return new DfpeerError('DFP_ABORTED', `piece ${this.slice.number} comes no further; ask again`);
  }
}

/**
 * Pieces of one task that are on their way into its file, block by block, and the sums of those that came like that. Two attempts at one piece
 * write to the same place: then neither is told of.
 */
export class Arrivals {
  readonly #blockLength: number;
  readonly #memory: RememberedArrivals;
  readonly #clock: Clock;
  readonly #underWay = new Map<number, Set<Arrival>>();
  readonly #remembered = new Map<number, Arrival>();
  readonly #listeners = new Set<() => void>();
  readonly #times = new RecentTimes();

  /** `blockLength`: in bytes. `memory`: of all tasks together. */
  constructor(blockLength: number, { memory, clock }: { memory: RememberedArrivals; clock: Clock }) {
    this.#blockLength = blockLength;
    this.#memory = memory;
    this.#clock = clock;
  }

  /** The attempt must end exactly once. */
  begin(slice: PieceSlice, { isFromOrigin }: { isFromOrigin: boolean }): Arrival {
    const { number } = slice;
    const beganAtMs = this.#clock.monotonicMs();
    const arrival = new Arrival(
      slice,
      { blockLength: this.#blockLength, isFromOrigin },
      {
        ageMs: () => this.#clock.monotonicMs() - beganAtMs,
        usualMs: () => this.#times.quantile(0.5) ?? Infinity,
        onTold: () => {
          for (const listener of [...this.#listeners]) listener();
        },
      },
    );
    const attempts = this.#underWay.get(number) ?? new Set();
    this.#underWay.set(number, attempts.add(arrival));
    this.#forget(number);
    if (attempts.size > 1) for (const attempt of attempts) attempt.break();
    return arrival;
  }

  /** Nothing writes for it any more. What is not complete comes no further. */
  end(arrival: Arrival): void {
    const { number } = arrival.slice;
    const attempts = this.#underWay.get(number);
    attempts?.delete(arrival);
    if (attempts?.size === 0) this.#underWay.delete(number);
    if (!arrival.complete) return arrival.break();
    this.#times.add(arrival.ageMs);
    this.#forget(number);
    this.#remembered.set(number, arrival);
    this.#memory.set(arrival, () => this.#remembered.delete(number));
  }

  /** The task is gone. */
  clear(): void {
    for (const attempts of this.#underWay.values()) for (const attempt of attempts) attempt.break();
    for (const number of [...this.#remembered.keys()]) this.#forget(number);
  }

  /** The piece, if it may be told of. */
  blocks(number: number): Arrival | undefined {
    for (const arrival of this.#underWay.get(number) ?? []) if (arrival.isTold) return arrival;
    return this.#remembered.get(number);
  }

  /** `listener`: a piece may be told of that is still on its way. Returns how to unsubscribe. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Its place in the file may be written to again. */
  #forget(number: number): void {
    const arrival = this.#remembered.get(number);
    if (arrival === undefined) return;
    arrival.break();
    this.#remembered.delete(number);
    this.#memory.delete(arrival);
  }
}
