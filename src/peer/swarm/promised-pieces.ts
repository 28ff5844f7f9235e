import type { Arrival } from '../store/arrivals.js';

/** Pieces that a child was told of while they were on their way to us: until they are stored, or come no further. */
export class PromisedPieces {
  readonly #forgets = new Map<number, () => void>();
  readonly #onBroken: (number: number) => void;

  /** `onBroken`: the child waits for it in vain. */
  constructor(onBroken: (number: number) => void) {
    this.#onBroken = onBroken;
  }

  get size(): number {
    return this.#forgets.size;
  }

  /** `arrival`: undefined when nothing of the piece is here any more. */
  add(number: number, arrival: Arrival | undefined): void {
    if (arrival === undefined) this.#onBroken(number);
    else
      this.#forgets.set(
        number,
        arrival.onBroken(() => {
          this.delete(number);
          this.#onBroken(number);
        }),
      );
  }

  delete(number: number): void {
    this.#forgets.get(number)?.();
    this.#forgets.delete(number);
  }

  clear(): void {
    for (const forget of this.#forgets.values()) forget();
    this.#forgets.clear();
  }
}
