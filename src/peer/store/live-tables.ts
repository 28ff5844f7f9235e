import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteCursor } from '../../core/byte-cursor.js';
import { errnoOf } from '../../core/errors.js';
import { maskedCrc32c } from './crc32c.js';

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const FRAGMENT = { full: 1, first: 2, middle: 3, last: 4 } as const;
/** What an edit of LevelDB's db/version_edit.cc is made of. */
const EDIT = {
  comparator: 1,
  logNumber: 2,
  nextFileNumber: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLogNumber: 9,
} as const;

/**
 * The numbers of the tables that LevelDB's manifest names; any other is a leftover of a kill, which LevelDB deletes when it is opened.
 * Undefined when the manifest can't be read: then LevelDB can't either. Format: LevelDB's doc/log_format.md.
 */
export async function readLiveTables(directory: string): Promise<ReadonlySet<number> | undefined> {
  try {
    const current = (await readFile(join(directory, 'CURRENT'), 'latin1')).trimEnd();
    return /^MANIFEST-\d+$/.test(current) ? liveTablesOf(await readFile(join(directory, current))) : undefined;
  } catch (error) {
    // Nothing there, or a length that points out of the file.
    if (errnoOf(error) === 'ENOENT' || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** @throws RangeError when it is damaged */
function liveTablesOf(manifest: Buffer): Set<number> {
  const live = new Set<number>();
  for (const edit of recordsOf(manifest)) applyEdit(new ByteCursor(edit), live);
  return live;
}

function applyEdit(edit: ByteCursor, live: Set<number>): void {
  const skipText = (): void => void edit.take(edit.varint());
  while (!edit.atEnd) {
    const tag = edit.varint();
    switch (tag) {
      case EDIT.logNumber:
      case EDIT.nextFileNumber:
      case EDIT.lastSequence:
      case EDIT.previousLogNumber:
        edit.varint();
        break;
      case EDIT.comparator:
        skipText();
        break;
      case EDIT.compactPointer:
        edit.varint(); // level
        skipText();
        break;
      case EDIT.deletedFile:
        edit.varint(); // level
        live.delete(edit.varint());
        break;
      case EDIT.newFile:
        edit.varint(); // level
        live.add(edit.varint());
        edit.varint(); // size
        skipText(); // its first key
        skipText(); // and its last
        break;
      default:
        throw new RangeError(`an edit of unknown kind ${tag}`);
    }
  }
}

/** The records of a log, up to one that its writer didn't finish. @throws RangeError when it is damaged */
function* recordsOf(log: Buffer): Generator<Buffer> {
  let fragments: Buffer[] = [];
  for (const { kind, payload } of fragmentsOf(log)) {
    if (kind === FRAGMENT.full || kind === FRAGMENT.first) fragments = [];
    fragments.push(payload);
    if (kind === FRAGMENT.full || kind === FRAGMENT.last) yield Buffer.concat(fragments);
  }
}

function* fragmentsOf(log: Buffer): Generator<{ kind: number; payload: Buffer }> {
  for (let start = 0; start < log.length; start += BLOCK_BYTES) {
    const block = log.subarray(start, start + BLOCK_BYTES);
    for (let offset = 0; offset + HEADER_BYTES <= block.length;) {
      const end = offset + HEADER_BYTES + block.readUInt16LE(offset + 4);
      if (end > block.length && block.length < BLOCK_BYTES) return;
      if (maskedCrc32c(block.subarray(offset + 6, end)) !== block.readUInt32LE(offset))
        throw new RangeError('a checksum does not fit');
      yield { kind: block.readUInt8(offset + 6), payload: block.subarray(offset + HEADER_BYTES, end) };
      offset = end;
    }
  }
}
