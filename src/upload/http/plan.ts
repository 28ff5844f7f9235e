import { parseRangeHeader } from '../../core/byte-range.js';
import type { ByteRange } from '../../core/piece.js';
import type { PieceBlocks } from '../piece-source.js';
import { matchesAny, rangeStillApplies } from './validator.js';

/** The request headers that decide what is answered; lower-case names as Node gives them. */
export interface PlanHeaders {
  range?: string | undefined;
  'if-range'?: string | undefined;
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
}

export interface PlanFacts {
  etag: string | undefined;
  contentLength: number | undefined;
}

export type Plan =
  | { kind: 'precondition-failed' } // 412
  | { kind: 'not-modified' } // 304
  | { kind: 'unsatisfiable'; contentRange: string } // 416
  | { kind: 'unknown-length' } // 503: the whole, or a range from its end, of a content whose length nobody knows yet
  | { kind: 'not-coming' } // 503: a piece for a child that takes blocks, and none of it is here
  | {
      kind: 'content';
      status: 200 | 206;
      range: ByteRange;
      contentRange: string | undefined;
      /** The range is a piece, and goes out in these. */
      blocks?: PieceBlocks;
    };

export type ContentPlan = Extract<Plan, { kind: 'content' }>;

/** What a good file server answers, in the order of RFC 9110, 13.2.2. */
export function planAnswer(headers: PlanHeaders, facts: PlanFacts): Plan {
  const { etag, contentLength } = facts;
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifMatch !== undefined && !matchesAny(ifMatch, etag, 'strong')) return { kind: 'precondition-failed' };
  if (ifNoneMatch !== undefined && matchesAny(ifNoneMatch, etag, 'weak')) return { kind: 'not-modified' };

  const header = rangeStillApplies(headers['if-range'], etag) ? headers.range : undefined;
  if (contentLength === undefined) return planUnknownLength(header);
  const parsed = parseRangeHeader(header, contentLength);
  if (parsed.kind === 'unsatisfiable') return { kind: 'unsatisfiable', contentRange: `bytes */${contentLength}` };
  if (parsed.kind === 'none')
    return { kind: 'content', status: 200, range: { offset: 0, length: contentLength }, contentRange: undefined };
  return partial(parsed.range, String(contentLength));
}

/** Only a range with both ends can be told from the rest then. */
function planUnknownLength(header: string | undefined): Plan {
  const parsed = parseRangeHeader(header, Number.MAX_SAFE_INTEGER);
  if (parsed.kind !== 'range' || parsed.range.offset + parsed.range.length >= Number.MAX_SAFE_INTEGER)
    return { kind: 'unknown-length' };
  return partial(parsed.range, '*');
}

function partial(range: ByteRange, total: string): Plan {
  const contentRange = `bytes ${range.offset}-${range.offset + range.length - 1}/${total}`;
  return { kind: 'content', status: 206, range, contentRange };
}
