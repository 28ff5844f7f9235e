import { dropCachedRange, isRangeCached } from '../../../native/index.js';
import type { ByteRange } from '../../core/piece.js';

interface RangeOfTask {
  task: { taskId: string; file: { readonly fd: number } };
  range: ByteRange;
}

/** What one look at the page cache is for. A slice that is in memory only in part counts as read from the disk. */
const SLICE_BYTES = 1024 * 1024;
/** Long ranges have larger slices, since a look takes some microseconds. */
const MAX_SLICES = 64;

/**
 * Keeps uploads from filling the page cache: what had to be read from the disk for one upload is dropped after it, unless somebody else
 * takes the same task by then. What was in memory before stays there, by slices of a mebibyte or a 64th of the range.
 */
export class DropBehind {
  /** Uploads under way by task. */
  readonly #users = new Map<string, number>();

  /** Of an upload that begins; call what it returns at the end. */
  begin({ task, range }: RangeOfTask): (outcome: { bytesSent: number }) => void {
    const { taskId, file } = task;
    this.#users.set(taskId, (this.#users.get(taskId) ?? 0) + 1);
    const cold = coldParts(file.fd, range);
    return ({ bytesSent }) => {
      const left = (this.#users.get(taskId) ?? 1) - 1;
      if (left > 0) return void this.#users.set(taskId, left);
      this.#users.delete(taskId);
      const readUntil = range.offset + bytesSent;
      for (const { offset, length } of cold)
        if (offset < readUntil) dropCachedRange(file.fd, offset, Math.min(length, readUntil - offset));
    };
  }
}

/** What of a range isn't in memory; slices side by side are one, so that no page between them stays. */
function coldParts(fd: number, range: ByteRange): ByteRange[] {
  const sliceBytes = Math.max(SLICE_BYTES, Math.ceil(range.length / MAX_SLICES));
  const end = range.offset + range.length;
  const parts: ByteRange[] = [];
  for (let offset = range.offset; offset < end; offset += sliceBytes) {
    const length = Math.min(sliceBytes, end - offset);
    if (isRangeCached(fd, offset, length)) continue;
    const last = parts.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else parts.push({ offset, length });
  }
  return parts;
}
