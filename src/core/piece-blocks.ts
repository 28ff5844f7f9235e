/** A piece of a full length has at least so many blocks. */
const BLOCKS_OF_PIECE = 8;
/** Shorter blocks would cost more than they bring forward. */
const MIN_BLOCK_LENGTH = 64 * 1024;
/** With longer ones who waits for the next one would wait too long. */
const MAX_BLOCK_LENGTH = 1024 * 1024;
/** A block's sum in front of its bytes: big-endian. */
export const BLOCK_SUM_BYTES = 4;

/**
 * HTTP header that passes a piece on block by block; ours, not part of Dragonfly. In a request: `arriving` takes blocks where the piece itself is
 * still on its way to the parent, `always` wherever the parent knows their sums. In an answer: the length of a block; then each block of the
 * body comes behind its sum, which is the CRC-32 of the piece's bytes from its first one to the block's last one. The last sum is the piece's.
 */
export const BLOCKS_HEADER = 'Dfpeer-Blocks';
/** In a refusal: nothing of the piece is here; who was told of it hears of it again as soon as there is. */
export const NO_BLOCKS = 'none';
/** What a child takes of a parent. */
export type BlocksWish = 'arriving' | 'always';

/** Of a task's pieces, in bytes; the last block of a piece may be shorter. */
export function blockLengthOf(pieceLength: number): number {
  return Math.min(Math.max(MIN_BLOCK_LENGTH, Math.ceil(pieceLength / BLOCKS_OF_PIECE)), MAX_BLOCK_LENGTH);
}

export function blockCount(length: number, blockLength: number): number {
  return Math.ceil(length / blockLength);
}

/** Bytes of a body that carries a piece in blocks. */
export function bytesInBlocks(length: number, blockLength: number): number {
  return length + BLOCK_SUM_BYTES * blockCount(length, blockLength);
}

/** Undefined for what is none. */
export function parseBlocksWish(text: string | undefined): BlocksWish | undefined {
  return text === 'arriving' || text === 'always' ? text : undefined;
}
