import type { ByteRange } from './piece.js';

export type ParsedRange =
  | { kind: 'none' } // no header, or one that RFC 9110 lets a server ignore: not bytes, several ranges, malformed
  | { kind: 'range'; range: ByteRange }
  | { kind: 'unsatisfiable' };

/** No two runs of blanks touch: that would take time with the square of their length. */
const SINGLE_RANGE = /^bytes\s*=(?:\s*(\d+))?\s*-(?:\s*(\d+))?\s*$/i;

/** One `Range` header against a content of known length (RFC 9110, 14.1 and 14.2). */
export function parseRangeHeader(header: string | undefined, contentLength: number): ParsedRange {
  const match = header === undefined ? null : SINGLE_RANGE.exec(header);
  if (match === null) return { kind: 'none' };
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return { kind: 'none' };
  if (first === '') {
    const suffix = toLength(last);
    if (suffix === 0 || contentLength === 0) return { kind: 'unsatisfiable' };
    const length = Math.min(suffix, contentLength);
    return { kind: 'range', range: { offset: contentLength - length, length } };
  }
  const start = toLength(first);
  const end = last === '' ? contentLength - 1 : Math.min(toLength(last), contentLength - 1);
  if (last !== '' && toLength(last) < start) return { kind: 'none' };
  if (start >= contentLength) return { kind: 'unsatisfiable' };
  return { kind: 'range', range: { offset: start, length: end - start + 1 } };
}

/** The `Range` header that asks for it: the last byte is named, not the one after. */
export function formatRangeHeader({ offset, length }: ByteRange): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

export interface ContentRange {
  offset: number;
  length: number;
  /** Undefined for `*`. */
  contentLength: number | undefined;
}

const CONTENT_RANGE = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/i;

/** The `Content-Range` of a 206; undefined when malformed or beyond safe integers (RFC 9110, 14.4). */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = CONTENT_RANGE.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === '*' ? undefined : Number(match[3]);
  const safe =
    Number.isSafeInteger(start) && Number.isSafeInteger(end) && (total === undefined || Number.isSafeInteger(total));
  if (!safe || end < start || (total !== undefined && end >= total)) return undefined;
  return { offset: start, length: end - start + 1, contentLength: total };
}

function toLength(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}
