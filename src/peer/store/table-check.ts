import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteCursor } from '../../core/byte-cursor.js';
import { maskedCrc32c } from './crc32c.js';
import { unlessGone } from '../../core/unless-gone.js';

const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
const TRAILER_BYTES = 5;
const UNCOMPRESSED = 0;

interface BlockHandle {
  offset: number;
  size: number;
}

/**
 * The names of LevelDB's tables in `directory` whose checksums do not fit; with `live`, only of those with such numbers. LevelDB itself
 * doesn't look at them when it merges tables, and ends the process when it finds keys out of order: broken ones must be out of its way
 * before it is opened. Format: LevelDB's doc/table_format.md, in which every block is followed by its compression and a masked CRC-32C.
 */
export async function findBrokenTables(directory: string, live?: ReadonlySet<number>): Promise<string[]> {
  const broken: string[] = [];
  for (const name of await unlessGone(readdir(directory), [])) {
    if (!/\.(ldb|sst)$/.test(name) || live?.has(Number.parseInt(name, 10)) === false) continue;
    const table = await unlessGone(readFile(join(directory, name)), undefined);
    if (table !== undefined && !isSoundTable(table)) broken.push(name);
  }
  return broken;
}

/** False for anything but a complete table with right checksums. */
export function isSoundTable(table: Buffer): boolean {
  try {
    if (table.length < FOOTER_BYTES || table.readBigUInt64LE(table.length - 8) !== MAGIC) return false;
    const footer = new ByteCursor(table.subarray(table.length - FOOTER_BYTES));
    const [metaindex, index] = [readHandle(footer), readHandle(footer)];
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
  return maskedCrc32c(block) === table.readUInt32LE(end - 4) ? block : undefined;
}

/** What the entries of an index point to; nothing where it is compressed, which ours are not. */
function handlesIn(block: Buffer): BlockHandle[] {
  if (block[block.length - 1] !== UNCOMPRESSED) return [];
  const restarts = block.readUInt32LE(block.length - 5);
  const cursor = new ByteCursor(block.subarray(0, block.length - 5 - 4 * restarts));
  const handles: BlockHandle[] = [];
  while (!cursor.atEnd) {
    cursor.varint(); // what the key shares with the one before
    const keyBytes = cursor.varint();
    const valueBytes = cursor.varint();
    cursor.take(keyBytes);
    handles.push(readHandle(new ByteCursor(cursor.take(valueBytes))));
  }
  return handles;
}

function readHandle(cursor: ByteCursor): BlockHandle {
  return { offset: cursor.varint(), size: cursor.varint() };
}
