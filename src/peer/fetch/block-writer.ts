import type { ByteRange } from '../../core/piece.js';
import type { BlocksRequest } from './piece-fetcher.js';
import { type PieceSink, PieceWriter } from './piece-writer.js';

/** Writes the bytes of a piece in order, and tells the running sum at the end of each block, once the block is in the file. */
export class BlockWriter implements PieceSink {
  readonly #writer: PieceWriter;
  readonly #length: number;
  readonly #blocks: BlocksRequest | undefined;

  /** Without `blocks` nothing is told, and the piece is one block. @throws DfpeerError DFP_STORE_IO, DFP_STORE_FULL */
  constructor(path: string, range: ByteRange, blocks: BlocksRequest | undefined) {
    this.#length = range.length;
    this.#blocks = blocks;
    this.#writer = new PieceWriter(path, range);
  }

  get written(): number {
    return this.#writer.written;
  }

  get remaining(): number {
    return this.#writer.remaining;
  }

  /** Bytes to the end of the block that comes now. */
  get untilBlockEnd(): number {
    const blockLength = this.#blocks?.blockLength ?? this.#length;
    return Math.min(blockLength - (this.written % blockLength), this.remaining);
  }

  get digest(): string {
    return this.#writer.digest;
  }

  /** @throws what PieceWriter.write throws, and what `onBlock` throws */
  write(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > this.untilBlockEnd && this.remaining > 0) {
      const { untilBlockEnd } = this;
      this.#writeWithinBlock(rest.subarray(0, untilBlockEnd));
      rest = rest.subarray(untilBlockEnd);
    }
    this.#writeWithinBlock(rest);
  }

  close(): void {
    this.#writer.close();
  }

  #writeWithinBlock(bytes: Uint8Array): void {
    const endsBlock = bytes.length > 0 && bytes.length === this.untilBlockEnd;
    this.#writer.write(bytes);
    if (endsBlock) this.#blocks?.onBlock(this.#writer.sum);
  }
}
