import type { PieceSet } from '../../core/piece-set.js';

/** What a download needs of nobody any more, for parents who want to know. */
export class HeldPieces {
  readonly #read: () => PieceSet | undefined;
  readonly #listeners = new Set<() => void>();

  /** `read`: undefined while there is nothing to tell. */
  constructor(read: () => PieceSet | undefined) {
    this.#read = read;
  }

  current(): PieceSet | undefined {
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
