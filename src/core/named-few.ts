/** Who is counted by name: the first that come. Names that strangers choose would fill a metric otherwise. */
export class NamedFew {
  readonly #max: number;
  readonly #names = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** False for a name beyond the bound, whose part is counted as "other". */
  admits(name: string): boolean {
    if (this.#names.size < this.#max) this.#names.add(name);
    return this.#names.has(name);
  }
}
