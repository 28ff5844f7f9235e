import type { Clock } from '../../core/clock.js';
import { abortReason } from '../../core/deadline.js';
import { DfpeerError } from '../../core/errors.js';
import { blockCount } from '../../core/piece-blocks.js';
import type { PieceSlice } from '../../core/piece.js';
import type { BlocksRequest } from '../fetch/piece-fetcher.js';
import type { PieceBlocks } from '../../upload/piece-source.js';
import type { RememberedArrivals } from './remembered-arrivals.js';

/** Blocks that come more slowly are not passed on: a child would take the silence between them for that of its parent. */
export const MAX_FIRST_BLOCK_MS = 5_000;

/** One attempt to bring a piece into the file, as it comes block by block. */
export class Arrival implements PieceBlocks, BlocksRequest {
  readonly slice: PieceSlice;
  readonly blockLength: number;
  readonly isFromOrigin: boolean;
  readonly #sums: number[] = [];
  readonly #onFirst: () => void;
  readonly #ageMs: () => number;
  #isSlow = false;
  readonly #waiting = new Set<() => void>();
  readonly #broken = new Set<() => void>();
  #isBroken = false;

  constructor(
    slice: PieceSlice,
    { blockLength, isFromOrigin }: { blockLength: number; isFromOrigin: boolean },
    { ageMs, onFirst }: { ageMs: () => number; onFirst: () => void },
  ) {
    this.slice = slice;
    this.blockLength = blockLength;
    this.isFromOrigin = isFromOrigin;
    this.#onFirst = onFirst;
    this.#ageMs = ageMs;
  }

  get complete(): boolean {
    return !this.#isBroken && this.#sums.length === blockCount(this.slice.length, this.blockLength);
  }

  /** A block of it is here, and more may come soon. */
  get hasBlocks(): boolean {
    return this.#sums.length > 0 && !this.#isBroken && (!this.#isSlow || this.complete);
  }

  /** One block more is in the file and verified. */
  readonly onBlock = (sum: number): void => {
    if (this.#isBroken || this.complete) return;
    this.#sums.push(sum);
    const isFirst = this.#sums.length === 1;
    if (isFirst) this.#isSlow = this.#ageMs() > MAX_FIRST_BLOCK_MS;
    for (const look of [...this.#waiting]) look();
    if (isFirst && !this.#isSlow) this.#onFirst();
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
    const ageMs = (): number => this.#clock.monotonicMs() - beganAtMs;
    const onFirst = (): void => {
      for (const listener of [...this.#listeners]) listener();
    };
    const arrival = new Arrival(slice, { blockLength: this.#blockLength, isFromOrigin }, { ageMs, onFirst });
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
    this.#forget(number);
    this.#remembered.set(number, arrival);
    this.#memory.add(arrival, () => this.#remembered.delete(number));
  }

  /** The task is gone. */
  clear(): void {
    for (const attempts of this.#underWay.values()) for (const attempt of attempts) attempt.break();
    for (const number of [...this.#remembered.keys()]) this.#forget(number);
  }

  /** The piece with at least its first block here. */
  blocks(number: number): Arrival | undefined {
    for (const arrival of this.#underWay.get(number) ?? []) if (arrival.hasBlocks) return arrival;
    return this.#remembered.get(number);
  }

  /** `listener`: the first block of a piece is here. Returns how to unsubscribe. */
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
