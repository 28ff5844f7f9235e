import { dropCachedRange, isRangeCached } from '../../../native/index.js';
import type { ByteRange } from '../../core/piece.js';

interface RangeOfTask {
  task: { taskId: string; file: { readonly fd: number } };
  range: ByteRange;
}

/**
 * Keeps uploads from filling the page cache: what had to be read from the disk for one upload is dropped after it, unless somebody else
 * takes the same task by then. What was in memory before stays there.
 */
export class DropBehind {
  /** Uploads under way by task. */
  readonly #users = new Map<string, number>();

  /** Of an upload that begins; call what it returns at the end. */
  begin({ task, range }: RangeOfTask): (outcome: { bytesSent: number }) => void {
    const { taskId, file } = task;
    this.#users.set(taskId, (this.#users.get(taskId) ?? 0) + 1);
    const wasCached = isRangeCached(file.fd, range.offset, range.length);
    return ({ bytesSent }) => {
      const left = (this.#users.get(taskId) ?? 1) - 1;
      if (left > 0) return void this.#users.set(taskId, left);
      this.#users.delete(taskId);
      if (!wasCached && bytesSent > 0) dropCachedRange(file.fd, range.offset, bytesSent);
    };
  }
}
