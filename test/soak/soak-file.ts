import { createCipheriv, createHash } from 'node:crypto';
import type { ByteRange } from '../../src/core/piece.js';
import type { Random } from '../simulation/random.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const BLOCK_BYTES = 16;
const PIECE_BYTES = 4 * MIB;

/** A file of the origin. Its bytes follow from its seed, so that nobody has to keep them. */
export class SoakFile {
  readonly name: string;
  readonly size: number;
  readonly #key: Buffer;
  #sha256: string | undefined;

  constructor(name: string, size: number, seed: number) {
    this.name = name;
    this.size = size;
    this.#key = createHash('sha256').update(`${seed}/${name}`).digest().subarray(0, BLOCK_BYTES);
  }

  /** AES in counter mode, of whose stream any part can be had at once. */
  bytes({ offset, length }: ByteRange): Buffer {
    const firstBlock = Math.floor(offset / BLOCK_BYTES);
    const skipped = offset - firstBlock * BLOCK_BYTES;
    const counter = Buffer.alloc(BLOCK_BYTES);
    counter.writeBigUInt64BE(BigInt(firstBlock), BLOCK_BYTES - 8);
    const cipher = createCipheriv('aes-128-ctr', this.#key, counter);
    return cipher.update(Buffer.alloc(skipped + length)).subarray(skipped);
  }

  sha256(range: ByteRange = { offset: 0, length: this.size }): string {
    const isWhole = range.offset === 0 && range.length === this.size;
    if (isWhole && this.#sha256 !== undefined) return this.#sha256;
    const hash = createHash('sha256');
    for (let done = 0; done < range.length; done += MIB)
      hash.update(this.bytes({ offset: range.offset + done, length: Math.min(MIB, range.length - done) }));
    const digest = hash.digest('hex');
    if (isWhole) this.#sha256 = digest;
    return digest;
  }
}

/** Sizes where something changes, then a mix in which small files are many and big ones make the bytes. */
export function makeFiles(count: number, seed: number, random: Random): SoakFile[] {
  const edges = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 40 * MIB];
  return Array.from({ length: count }, (_, index) => {
    const size =
      edges[index] ??
      random.pick([sizeUpTo(random, 256 * KIB), sizeUpTo(random, 12 * MIB), sizeUpTo(random, 40 * MIB)]);
    return new SoakFile(`file-${index}.bin`, size, seed);
  });
}

function sizeUpTo(random: Random, most: number): number {
  return random.between(1, most);
}
