import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import type { PieceSlice } from '../../../../src/core/piece.js';
import type { BlocksRequest } from '../../../../src/peer/fetch/piece-fetcher.js';
import type { StoreFile } from './fixtures.js';

export interface Block {
  bytes: Buffer;
  /** Of the piece, up to the end of this block. */
  sum: number;
}

export function cutIntoBlocks(piece: Buffer, blockLength: number): Block[] {
  return Array.from({ length: Math.ceil(piece.length / blockLength) }, (_, index) => {
    const end = Math.min((index + 1) * blockLength, piece.length);
    return { bytes: piece.subarray(index * blockLength, end), sum: crc32(piece.subarray(0, end)) };
  });
}

/** A block as a parent sends it. */
export function framed({ bytes, sum }: Block): Buffer {
  const frame = Buffer.alloc(4 + bytes.length);
  frame.writeUInt32BE(sum);
  bytes.copy(frame, 4);
  return frame;
}

export function inBlocks(piece: Buffer, blockLength: number): Buffer {
  return Buffer.concat(cutIntoBlocks(piece, blockLength).map(framed));
}

/** Demands that the blocks of a piece are told in order, and are in the file by then. */
export class BlockWatch implements BlocksRequest {
  readonly blockLength: number;
  readonly #blocks: readonly Block[];
  readonly #file: StoreFile;
  readonly #slice: PieceSlice;
  readonly #wakes: (() => void)[] = [];
  told = 0;

  constructor(file: StoreFile, slice: PieceSlice, piece: Buffer, blockLength: number) {
    this.#file = file;
    this.#slice = slice;
    this.#blocks = cutIntoBlocks(piece, blockLength);
    this.blockLength = blockLength;
  }

  readonly onBlock = (sum: number): void => {
    const block = this.#blocks[this.told];
    assert.ok(block !== undefined, `told ${this.told} blocks before`);
    assert.equal(sum, block.sum, `block ${this.told}`);
    const offset = this.#slice.offset + this.told * this.blockLength;
    assert.equal(this.#file.read({ offset, length: block.bytes.length }).compare(block.bytes), 0, 'in the file');
    this.told++;
    for (const wake of this.#wakes.splice(0)) wake();
  };

  get all(): number {
    return this.#blocks.length;
  }

  async untilTold(count: number): Promise<void> {
    while (this.told < count) await new Promise<void>((resolve) => this.#wakes.push(resolve));
  }
}
