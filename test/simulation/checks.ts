import { crc32 } from 'node:zlib';
import { type ByteRange, formatPieceDigest } from '../../src/core/piece.js';
import type { StoredTask } from '../../src/peer/store/stored-task.js';
import type { MemoryDisk } from './memory-disk.js';
import type { Version } from './simulated-origin.js';

/** What a stored task promises to everybody: each piece it shows is on the disk as its digest says, and is one of some version. */
export function checkPieces(task: StoredTask, disk: MemoryDisk, versions: readonly Version[]): string[] {
  const wrong: string[] = [];
  for (const piece of task.pieces()) {
    const bytes = disk.files.get(task.taskId)?.read(piece) ?? Buffer.alloc(0);
    if (formatPieceDigest(crc32(bytes)) !== piece.digest)
      wrong.push(`piece ${piece.number} shows as stored, but its bytes are not what was verified`);
    if (!versions.some((version) => holds(version, piece, bytes)))
      wrong.push(`piece ${piece.number} is not of any version of the content`);
  }
  return wrong;
}

/** Nobody writes other bytes over a piece that shows as stored. */
export function checkWritten(task: StoredTask, disk: MemoryDisk, written: ByteRange): string[] {
  const touched = [...task.pieces()].filter(
    ({ offset, length }) => offset < written.offset + written.length && written.offset < offset + length,
  );
  return touched
    .filter((piece) => formatPieceDigest(crc32(disk.files.get(task.taskId)?.read(piece) ?? '')) !== piece.digest)
    .map(({ number }) => `piece ${number} shows as stored, and other bytes were written over it`);
}

/** All pieces of a task are of one version. */
export function checkOneVersion(task: StoredTask, disk: MemoryDisk, versions: readonly Version[]): string[] {
  const file = disk.files.get(task.taskId);
  const length = task.layout?.contentLength;
  const pieces = [...task.pieces()];
  const fits = versions.some(
    (version) =>
      version.bytes.length === length &&
      pieces.every((piece) => file !== undefined && holds(version, piece, file.read(piece))),
  );
  return fits
    ? []
    : [
        `the task of ${length ?? 'unknown'} bytes is not one version of the content: ${describe(pieces, versions, disk, task)}`,
      ];
}

function holds({ bytes }: Version, { offset, length }: { offset: number; length: number }, found: Buffer): boolean {
  return found.equals(bytes.subarray(offset, offset + length));
}

function describe(
  pieces: ReturnType<StoredTask['piece']>[],
  versions: readonly Version[],
  disk: MemoryDisk,
  task: StoredTask,
): string {
  const file = disk.files.get(task.taskId);
  return pieces
    .filter((piece) => piece !== undefined)
    .map((piece) => {
      const of = versions.filter((version) => file !== undefined && holds(version, piece, file.read(piece)));
      return `${piece.number}:v${of.map(({ index }) => index).join('/')}(${piece.parentId ?? 'origin'})`;
    })
    .join(' ');
}
