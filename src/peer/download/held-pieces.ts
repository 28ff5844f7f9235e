import type { PieceSet } from '../../core/piece-set.js';

/** Where a download stands, for parents who want to know. */
export interface ChildStanding {
  /** Here, or asked of somebody. */
  held: PieceSet;
  /** Of these what is here. */
  here: PieceSet;
  /** Hosts that tell it what they have. */
  parentHostIds: readonly string[];
}

/** What a download needs of nobody any more, and who else may give it the rest. */
export class HeldPieces {
  readonly #read: () => ChildStanding | undefined;
  readonly #listeners = new Set<() => void>();

  /** `read`: undefined while there is nothing to tell. */
  constructor(read: () => ChildStanding | undefined) {
    this.#read = read;
  }

  current(): ChildStanding | undefined {
    return this.#read();
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Returns how to end it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
