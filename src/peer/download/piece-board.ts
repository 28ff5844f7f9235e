import { pickRarest } from '../../core/pick-rarest.js';

/** How a parent stands when a piece is to be chosen. */
export interface ParentStanding {
  id: string;
  /** Requests to it under way. */
  inFlight: number;
  maxInFlight: number;
  /** Relative capacity, > 0: idle bandwidth, lowered by failures and slowness. */
  weight: number;
}

/**
 * Which pieces are wanted, under way, here; and which parent has offered which. Pure bookkeeping and choice, no I/O.
 * Choice: the piece that fewest are known to have, so that it can soon be had from more of them; of those, one whose parent has the most idle
 * weight; ties by chance.
 */
export class PieceBoard {
  readonly #random: () => number;
  readonly #copies: (number: number) => number;
  /** Wanted and neither under way nor here. */
  readonly #missing = new Set<number>();
  readonly #inFlight = new Set<number>();
  readonly #offers = new Map<string, Set<number>>();
  readonly #holderCounts = new Map<number, number>();

  /** `copies`: how many who listen to us have a piece, or have asked for it; parents that pace their offers tell less. */
  constructor(random: () => number, copies: (number: number) => number = () => 0) {
    this.#random = random;
    this.#copies = copies;
  }

  /** Returns false when it was wanted before. */
  want(number: number): boolean {
    if (this.#inFlight.has(number) || this.#missing.has(number)) return false;
    this.#missing.add(number);
    return true;
  }

  get missingCount(): number {
    return this.#missing.size;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  get finished(): boolean {
    return this.#missing.size === 0 && this.#inFlight.size === 0;
  }

  missing(): number[] {
    return [...this.#missing];
  }

  wanted(): number[] {
    return [...this.#missing, ...this.#inFlight];
  }

  /** Wanted, and nobody is asked for it. */
  isMissing(number: number): boolean {
    return this.#missing.has(number);
  }

  /** Returns false when the parent had offered it before. */
  offer(parentId: string, number: number): boolean {
    const offered = this.#offers.get(parentId) ?? new Set<number>();
    this.#offers.set(parentId, offered);
    if (offered.has(number)) return false;
    offered.add(number);
    this.#holderCounts.set(number, (this.#holderCounts.get(number) ?? 0) + 1);
    return true;
  }

  /** The parent has it no more. */
  withdraw(parentId: string, number: number): void {
    if (this.#offers.get(parentId)?.delete(number) === true)
      this.#holderCounts.set(number, (this.#holderCounts.get(number) ?? 1) - 1);
  }

  dropParent(parentId: string): void {
    for (const number of this.#offers.get(parentId) ?? []) this.withdraw(parentId, number);
    this.#offers.delete(parentId);
  }

  holders(number: number): string[] {
    return [...this.#offers].filter(([, offered]) => offered.has(number)).map(([id]) => id);
  }

  /** The best next request, or undefined when no parent with a free slot offers anything that is missing. */
  choose(parents: readonly ParentStanding[]): { parentId: string; number: number } | undefined {
    const free = parents
      .filter((parent) => parent.inFlight < parent.maxInFlight)
      .map((parent) => ({ id: parent.id, burden: (parent.inFlight + 1) / parent.weight, tie: this.#random() }))
      .sort((a, b) => a.burden - b.burden || a.tie - b.tie);
    let best: { parentId: string; number: number } | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const { id } of free) {
      const number = this.#rarestOf(id);
      const holders = number === undefined ? fewest : this.#commonness(number);
      if (number !== undefined && holders < fewest) [best, fewest] = [{ parentId: id, number }, holders];
    }
    return best;
  }

  /** The lowest missing piece: an origin likes to be read in order. */
  chooseInOrder(): number | undefined {
    let lowest: number | undefined;
    for (const number of this.#missing) if (lowest === undefined || number < lowest) lowest = number;
    return lowest;
  }

  start(number: number): void {
    this.#missing.delete(number);
    this.#inFlight.add(number);
  }

  /** The request failed: the piece is missing again. Returns false when it is no longer under way. */
  putBack(number: number): boolean {
    if (!this.#inFlight.delete(number)) return false;
    this.#missing.add(number);
    return true;
  }

  done(number: number): void {
    this.#missing.delete(number);
    this.#inFlight.delete(number);
  }

  #commonness(number: number): number {
    return (this.#holderCounts.get(number) ?? 0) + this.#copies(number);
  }

  #rarestOf(parentId: string): number | undefined {
    const offered = this.#offers.get(parentId);
    if (offered === undefined) return undefined;
    // Whichever of the two sets is smaller is walked.
    const [walked, other] = offered.size < this.#missing.size ? [offered, this.#missing] : [this.#missing, offered];
    return pickRarest(
      walked,
      (number) => other.has(number),
      (number) => this.#commonness(number),
      this.#random,
    );
  }
}
