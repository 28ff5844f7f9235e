/** Of a 64-bit number. */
const MAX_VARINT_BYTES = 10;

/** Reads bytes in order, and the variable-length numbers that LevelDB and protobuf have in common. @throws RangeError beyond the end */
export class ByteCursor {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  /** Not exact above Number.MAX_SAFE_INTEGER. */
  varint(): number {
    let value = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = this.#bytes.readUInt8(this.#position++);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number of too many bytes');
  }

  /** The next bytes as a view. */
  take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new RangeError('a length beyond the end');
    const taken = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return taken;
  }
}
