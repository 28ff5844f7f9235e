import type { StoredPiece } from '../../core/piece.js';
import type { ServedTask } from '../piece-source.js';

/** Every request asks for its task's tag. */
const tags = new WeakMap<StoredPiece, { contentLength: number; tag: string }>();

/**
 * A strong entity tag (RFC 9110, 8.8.3): the content's digest where it is known; otherwise the record of the first
 * piece, which no second download of the task shares. Undefined while neither is there.
 */
export function entityTag(task: ServedTask): string | undefined {
  if (task.contentDigest !== undefined) return `"${task.contentDigest.replace(':', '-')}"`;
  const first = task.piece(0);
  if (first === undefined) return undefined;
  const { contentLength = -1 } = task;
  const known = tags.get(first);
  if (known?.contentLength === contentLength) return known.tag;
  const parts = [task.taskId.slice(0, 16), contentLength.toString(16), first.digest.replace(':', '-')];
  const tag = `"${parts.join('-')}-${first.createdAtMs.toString(16)}"`;
  tags.set(first, { contentLength, tag });
  return tag;
}

/** `If-Match` and `If-None-Match`: `*` matches anything there is. `W/` never matches strongly, but does weakly. */
export function matchesAny(header: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  if (etag === undefined) return false;
  const wanted = header.split(',').map((entry) => entry.trim());
  return wanted.some((entry) => entry === etag || (comparison === 'weak' && entry === `W/${etag}`));
}

/** `If-Range` (RFC 9110, 13.1.5): only our strong tag lets the range stand; we give no dates to compare with. */
export function rangeStillApplies(ifRange: string | undefined, etag: string | undefined): boolean {
  return ifRange === undefined || ifRange.trim() === etag;
}
