import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../core/errors.js';
import { crc32c } from './crc32c.js';

const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
const TRAILER_BYTES = 5;
const UNCOMPRESSED = 0;

interface BlockHandle {
  offset: number;
  size: number;
}

/**
 * The names of LevelDB's tables in `directory` whose checksums do not fit. LevelDB itself doesn't look at them when it merges tables, and
 * ends the process when it finds keys out of order: broken ones must be out of its way before it is opened. Format: LevelDB's
 * doc/table_format.md, in which every block is followed by its compression and a masked CRC-32C.
 */
export async function findBrokenTables(directory: string): Promise<string[]> {
  const broken: string[] = [];
  for (const name of await namesIn(directory)) {
    if (!/\.(ldb|sst)$/.test(name)) continue;
    if (!isSoundTable(await readFile(join(directory, name)))) broken.push(name);
  }
  return broken;
}

/** False for anything but a complete table with right checksums. */
export function isSoundTable(table: Buffer): boolean {
  try {
    if (table.length < FOOTER_BYTES || table.readBigUInt64LE(table.length - 8) !== MAGIC) return false;
    const footer = new Cursor(table.subarray(table.length - FOOTER_BYTES));
    const [metaindex, index] = [footer.handle(), footer.handle()];
    return [metaindex, index].every((each) => {
      const block = soundBlock(table, each);
      return block !== undefined && handlesIn(block).every((handle) => soundBlock(table, handle) !== undefined);
    });
  } catch (error) {
    // A length that points out of the file.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The block with its compression byte, or undefined when its checksum is another one. */
function soundBlock(table: Buffer, { offset, size }: BlockHandle): Buffer | undefined {
  const end = offset + size + TRAILER_BYTES;
  if (end > table.length) return undefined;
  const block = table.subarray(offset, end - 4);
  return masked(crc32c(block)) === table.readUInt32LE(end - 4) ? block : undefined;
}

function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** What the entries of an index point to; nothing where it is compressed, which ours are not. */
function handlesIn(block: Buffer): BlockHandle[] {
  if (block[block.length - 1] !== UNCOMPRESSED) return [];
  const restarts = block.readUInt32LE(block.length - 5);
  const cursor = new Cursor(block.subarray(0, block.length - 5 - 4 * restarts));
  const handles: BlockHandle[] = [];
  while (!cursor.atEnd) {
    cursor.varint(); // what the key shares with the one before
    const keyBytes = cursor.varint();
    const valueBytes = cursor.varint();
    cursor.skip(keyBytes);
    handles.push(new Cursor(cursor.take(valueBytes)).handle());
  }
  return handles;
}

/** Reads LevelDB's variable-length numbers. @throws RangeError beyond the end */
class Cursor {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.#bytes.readUInt8(this.#position++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number of too many bytes');
  }

  handle(): BlockHandle {
    return { offset: this.varint(), size: this.varint() };
  }

  skip(bytes: number): void {
    this.take(bytes);
  }

  take(bytes: number): Buffer {
    const end = this.#position + bytes;
    if (end > this.#bytes.length) throw new RangeError('a length beyond the end');
    const taken = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return taken;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
