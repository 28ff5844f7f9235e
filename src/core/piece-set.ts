/** Tasks with more pieces go without: the text would fill a request's head. */
export const MAX_PIECE_SET_PIECES = 4096;
const BASE64URL = /^[\w-]*$/;

/** Numbers of pieces, as a child tells them to a parent: one bit each, the lowest first, in base64url. */
export class PieceSet {
  readonly size: number;
  readonly #bits: Uint8Array;

  private constructor(bits: Uint8Array) {
    this.#bits = bits;
    let size = 0;
    for (const byte of bits) for (let rest = byte; rest !== 0; rest &= rest - 1) size++;
    this.size = size;
  }

  /** Undefined when the task has too many pieces. */
  static of(pieceCount: number, has: (number: number) => boolean): PieceSet | undefined {
    if (pieceCount > MAX_PIECE_SET_PIECES) return undefined;
    const bits = new Uint8Array(Math.ceil(pieceCount / 8));
    for (let number = 0; number < pieceCount; number++)
      if (has(number)) bits[number >> 3] = (bits[number >> 3] ?? 0) | (1 << (number & 7));
    return new PieceSet(bits);
  }

  /** Undefined for what is no such text. */
  static parse(text: string): PieceSet | undefined {
    if (text.length > Math.ceil(MAX_PIECE_SET_PIECES / 6) || !BASE64URL.test(text)) return undefined;
    return new PieceSet(Buffer.from(text, 'base64url'));
  }

  has(number: number): boolean {
    return ((this.#bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }

  toString(): string {
    return Buffer.from(this.#bits).toString('base64url');
  }
}
