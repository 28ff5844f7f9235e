import { DfpeerError } from '../../../core/errors.js';
import { BLOCK_SUM_BYTES, blockCount, bytesInBlocks } from '../../../core/piece-blocks.js';
import { formatPieceDigest, type PieceSlice } from '../../../core/piece.js';
import { BlockWriter } from '../block-writer.js';
import type { BlocksRequest } from '../piece-fetcher.js';

/** A piece in more blocks than this is refused: nobody gains by it. */
export const MAX_BLOCKS_OF_PIECE = 1024;

/** What a parent says in {@link BLOCKS_HEADER}; undefined for what can't be of a piece of this length. A short last piece may be one short block. */
export function parseBlockLength(text: string, pieceLength: number): number | undefined {
  const blockLength = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : Number.NaN;
  return blockCount(pieceLength, blockLength) <= MAX_BLOCKS_OF_PIECE ? blockLength : undefined;
}

export interface BlocksBodyOptions {
  parent: string;
  path: string;
  slice: PieceSlice;
  /** Of the parent. */
  blockLength: number;
  /** Of the piece, if the parent told it beforehand. */
  announcedDigest: string | undefined;
  /** Told of each block that is verified, if the parent cuts blocks of that length. */
  blocks: BlocksRequest | undefined;
}

/** A piece that comes from a parent block by block, each behind its sum (`core/piece-blocks.ts`); each is compared as soon as it is in the file. */
export class BlocksBody {
  readonly #options: BlocksBodyOptions;
  readonly #writer: BlockWriter;
  readonly #count: number;
  /** Bytes of the body still to come, sums included. */
  #left: number;
  #blocksDone = 0;
  /** Of the block that comes now, as far as it has come. */
  #sum = { value: 0, bytes: 0 };

  constructor(options: BlocksBodyOptions) {
    const { path, slice, blockLength } = options;
    this.#options = options;
    this.#count = blockCount(slice.length, blockLength);
    this.#left = bytesInBlocks(slice.length, blockLength);
    this.#writer = new BlockWriter(path, slice, { blockLength, onBlock: (sum) => this.#endBlock(sum) });
  }

  get written(): number {
    return this.#writer.written;
  }

  get untilBlockEnd(): number {
    return this.#writer.untilBlockEnd;
  }

  /** True once complete. @throws DfpeerError DFP_PIECE_DIGEST, DFP_PARENT_PROTOCOL for bytes beyond the piece, DFP_STORE_* */
  write(chunk: Uint8Array): boolean {
    const { parent, slice } = this.#options;
    if (chunk.length > this.#left)
      throw new DfpeerError(
        'DFP_PARENT_PROTOCOL',
        `${parent} sent more than the ${slice.length} bytes of piece ${slice.number}, in blocks`,
      );
    this.#left -= chunk.length;
    let rest = chunk;
    while (rest.length > 0) {
      const part = rest.subarray(0, this.#untilFrameEnd);
      if (this.#sum.bytes < BLOCK_SUM_BYTES) this.#readSum(part);
      else this.#writer.write(part);
      rest = rest.subarray(part.length);
    }
    return this.#left === 0;
  }

  /** Closes the file. @throws DfpeerError DFP_STORE_* */
  finish(): string {
    this.#writer.close();
    return this.#writer.digest;
  }

  close(): void {
    this.#writer.close();
  }

  get #untilFrameEnd(): number {
    const missing = BLOCK_SUM_BYTES - this.#sum.bytes;
    return missing > 0 ? missing : this.#writer.untilBlockEnd;
  }

  #readSum(bytes: Uint8Array): void {
    for (const byte of bytes) this.#sum.value = this.#sum.value * 256 + byte;
    this.#sum.bytes += bytes.length;
    const isPieces = this.#sum.bytes === BLOCK_SUM_BYTES && this.#blocksDone === this.#count - 1;
    const { announcedDigest } = this.#options;
    // Before the last block's bytes: a parent that contradicts itself must not get that block told.
    if (isPieces && announcedDigest !== undefined && announcedDigest !== formatPieceDigest(this.#sum.value))
      throw this.#mismatch(formatPieceDigest(this.#sum.value), announcedDigest, 'as its last sum');
  }

  #endBlock(sum: number): void {
    const [got, announced] = [sum, this.#sum.value];
    this.#blocksDone++;
    if (got !== announced) {
      const where = `at the end of block ${this.#blocksDone} of ${this.#count}`;
      throw this.#mismatch(formatPieceDigest(got), formatPieceDigest(announced), where);
    }
    this.#sum = { value: 0, bytes: 0 };
    const { blocks, blockLength } = this.#options;
    if (blocks?.blockLength === blockLength) blocks.onBlock(sum);
  }

  #mismatch(got: string, announced: string, where: string): DfpeerError {
    const { parent, slice } = this.#options;
    return new DfpeerError(
      'DFP_PIECE_DIGEST',
      `piece ${slice.number} from ${parent} has ${got} ${where}, but ${announced} was announced`,
    );
  }
}
