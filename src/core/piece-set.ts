/** Tasks with more pieces go without: the set is sent again with each change. */
export const MAX_PIECE_SET_PIECES = 4096;

/** Numbers of pieces, as a child tells them to a parent: one bit each, the lowest first. */
export class PieceSet {
  readonly size: number;
  readonly bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    let size = 0;
    for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) size++;
    this.size = size;
  }

  /** Undefined when the task has too many pieces. */
  static of(pieceCount: number, has: (number: number) => boolean): PieceSet | undefined {
    if (pieceCount > MAX_PIECE_SET_PIECES) return undefined;
    const bytes = new Uint8Array(Math.ceil(pieceCount / 8));
    for (let number = 0; number < pieceCount; number++)
      if (has(number)) bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (1 << (number & 7));
    return new PieceSet(bytes);
  }

  /** Undefined when there are too many. */
  static from(bytes: Uint8Array): PieceSet | undefined {
    return bytes.length > MAX_PIECE_SET_PIECES / 8 ? undefined : new PieceSet(bytes);
  }

  has(number: number): boolean {
    return ((this.bytes[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}
