/** Pieces of all tasks together whose blocks' sums are remembered after they were stored. */
export const MAX_REMEMBERED_ARRIVALS = 4096;

/** What came lately; of more than so much the oldest is forgotten. */
export class RememberedArrivals {
  readonly #forgets = new Map<object, () => void>();

  /** `forget`: it is too old now. */
  add(arrival: object, forget: () => void): void {
    this.#forgets.set(arrival, forget);
    const [oldest] = this.#forgets;
    if (this.#forgets.size <= MAX_REMEMBERED_ARRIVALS || oldest === undefined) return;
    this.#forgets.delete(oldest[0]);
    oldest[1]();
  }

  delete(arrival: object): void {
    this.#forgets.delete(arrival);
  }
}
