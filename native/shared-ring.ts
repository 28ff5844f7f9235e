const HEAD = 0;
const TAIL = 1;
const FIRST = 2;

/** A queue of small integers between two threads: one pushes, one pops. Never blocks, never allocates. */
export class SharedRing {
  readonly #words: Int32Array;
  readonly #mask: number;

  /** `capacity` must be a power of two; the memory, zeroed at first, is shared by both ends. */
  constructor(memory: SharedArrayBuffer, byteOffset: number, capacity: number) {
    if ((capacity & (capacity - 1)) !== 0) throw new RangeError(`ring capacity ${capacity} is not a power of two`);
    this.#words = new Int32Array(memory, byteOffset, FIRST + capacity);
    this.#mask = capacity - 1;
  }

  static byteLength(capacity: number): number {
    return (FIRST + capacity) * Int32Array.BYTES_PER_ELEMENT;
  }

  /** False when full. Everything written to shared memory before is visible to whoever pops the value. */
  push(value: number): boolean {
    const tail = Atomics.load(this.#words, TAIL);
    if (((tail - Atomics.load(this.#words, HEAD)) | 0) > this.#mask) return false;
    this.#words[FIRST + (tail & this.#mask)] = value;
    Atomics.store(this.#words, TAIL, (tail + 1) | 0);
    return true;
  }

  /** Undefined when empty. */
  pop(): number | undefined {
    const head = Atomics.load(this.#words, HEAD);
    if (head === Atomics.load(this.#words, TAIL)) return undefined;
    const value = this.#words[FIRST + (head & this.#mask)];
    Atomics.store(this.#words, HEAD, (head + 1) | 0);
    return value;
  }

  get empty(): boolean {
    return Atomics.load(this.#words, HEAD) === Atomics.load(this.#words, TAIL);
  }
}
