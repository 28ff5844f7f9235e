/** What a test has started, and how to end it: last come, first ended. */
export class Ends {
  readonly #ends: (() => unknown)[] = [];

  push(end: () => unknown): void {
    this.#ends.push(end);
  }

  async endAll(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}

/** Ended after each test: call inside describe(). */
export function useEnds(): Ends {
  const ends = new Ends();
  afterEach(() => ends.endAll());
  return ends;
}
