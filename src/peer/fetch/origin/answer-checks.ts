import { STATUS_CODES } from 'node:http';
import { type ContentRange, parseContentRange } from '../../../core/byte-range.js';
import { isSameStrongTag, opaqueTag } from '../../../core/entity-tag.js';
import { OriginError } from '../../../core/errors.js';
import type { ByteRange } from '../../../core/piece.js';
import { redactUrl } from '../../../core/redact.js';
import type { OriginContent } from '../piece-fetcher.js';
import type { OriginAnswer } from './origin-exchange.js';
import { PROXY_USER_REMEDY } from './proxy-choice.js';

type Code = 'DFP_ORIGIN_STATUS' | 'DFP_ORIGIN_RANGE' | 'DFP_ORIGIN_LENGTH' | 'DFP_ORIGIN_CHANGED';
/** They tell of work under way, or have no content. */
const OTHER_SUCCESSES: ReadonlySet<number> = new Set([202, 204, 205]);
const RANGE_REFUSALS: ReadonlySet<number> = new Set([400, 403, 405, 406, 412, 416, 501]);
/** What the checks look at: an answer without its body. */
export type AnswerHead = Pick<OriginAnswer, 'status' | 'headers' | 'location'>;

/** The answer to a request for `range`. @throws OriginError DFP_ORIGIN_CHANGED, DFP_ORIGIN_RANGE, DFP_ORIGIN_STATUS */
export function checkRangeAnswer(answer: AnswerHead, origin: OriginContent, range: ByteRange): void {
  if (answer.status === 416) throw rangeRefused(answer, origin);
  if (answer.status !== 206) {
    if (isWhole(answer)) throw wrong(answer, 'DFP_ORIGIN_RANGE', 'ignores Range and sends the whole content');
    throw wrongStatus(answer);
  }
  const got = parseContentRange(answer.headers['content-range']);
  if (got === undefined) throw wrong(answer, 'DFP_ORIGIN_RANGE', 'sends 206 without a usable Content-Range');
  checkValidators(answer, origin, got.contentLength);
  if (got.offset !== range.offset || got.length !== range.length) {
    const [sent, asked] = [describe(got), describe(range)];
    throw wrong(answer, 'DFP_ORIGIN_RANGE', `sends bytes ${sent} though ${asked} were asked`);
  }
  const length = contentLengthOf(answer);
  if (length !== undefined && length !== range.length)
    throw wrong(answer, 'DFP_ORIGIN_LENGTH', `announces ${length} bytes for a range of ${range.length}`);
}

/** The answer to a request for everything. @throws OriginError DFP_ORIGIN_CHANGED, DFP_ORIGIN_STATUS */
export function checkWholeAnswer(answer: AnswerHead, origin: OriginContent): void {
  if (!isWhole(answer)) throw wrongStatus(answer);
  checkValidators(answer, origin, contentLengthOf(answer));
}

/** Content as good as that of a 200 (RFC 9110, 15.3), or the part that a server always tells and that is all there is. */
export function isWhole({ status, headers }: AnswerHead): boolean {
  if (status !== 206) return status >= 200 && status < 300 && !OTHER_SUCCESSES.has(status);
  const range = parseContentRange(headers['content-range']);
  return range?.offset === 0 && range.length === range.contentLength;
}

/** Whether the same request without Range may well be answered: not all servers that take none ignore it. */
export function mayRefuseRange(status: number | undefined): boolean {
  return status !== undefined && RANGE_REFUSALS.has(status);
}

/** `identity` unless the origin says otherwise. Encoded bytes are stored as they come: some objects exist in no other form. */
export function encodingOf(headers: Readonly<Record<string, string>>): string {
  const told = headers['content-encoding']?.trim().toLowerCase().slice(0, 40) ?? '';
  return told === '' ? 'identity' : told;
}

export function wrongStatus(answer: AnswerHead): OriginError {
  return wrong(answer, 'DFP_ORIGIN_STATUS', `answers ${describeStatus(answer.status)}${remedyFor(answer.status)}`);
}

/** The number, its name, and for a proxy that wants to know who asks what to do. */
export function describeStatus(status: number): string {
  const name = STATUS_CODES[status];
  const told = name === undefined ? String(status) : `${status} ${name}`;
  return status === 407 ? `${told}; ${PROXY_USER_REMEDY}` : told;
}

function remedyFor(status: number): string {
  if (status === 401 || status === 403) return '; it may want a user and a password (--netrc), or a token (--header)';
  if (status === 404 || status === 410) return '; check the URL';
  if (status === 202) return '; the file is not ready yet, try again later';
  return status === 429 || status >= 500 ? '; try again later' : '';
}

/** Undefined when absent, malformed, or when transfer coding makes it meaningless (RFC 9112, 6.3). */
export function contentLengthOf({ headers }: AnswerHead): number | undefined {
  const text = headers['content-length'] ?? '';
  const length = /^\d{1,16}$/.test(text) && headers['transfer-encoding'] === undefined ? Number(text) : Number.NaN;
  return Number.isSafeInteger(length) ? length : undefined;
}

/** The total length in the Content-Range of a 416 (RFC 9110, 14.4); undefined when it tells none. */
export function unsatisfiedLengthOf({ headers }: AnswerHead): number | undefined {
  const digits = /^bytes\s+\*\/(\d{1,16})$/i.exec(headers['content-range']?.trim() ?? '')?.[1];
  const length = Number(digits ?? Number.NaN);
  return Number.isSafeInteger(length) ? length : undefined;
}

function rangeRefused(answer: AnswerHead, origin: OriginContent): OriginError {
  const total = unsatisfiedLengthOf(answer);
  if (total !== undefined && total !== origin.contentLength)
    return wrong(
      answer,
      'DFP_ORIGIN_CHANGED',
      `has ${total} bytes now, and had ${origin.contentLength ?? 'no length'}`,
    );
  return wrong(answer, 'DFP_ORIGIN_RANGE', 'refuses a range within its content');
}

/** What one of both sides does not tell can't be compared; a strong ETag decides, as servers of one name may have stored one content at different times. */
function checkValidators(answer: AnswerHead, origin: OriginContent, contentLength: number | undefined): void {
  const lastModified = isSameStrongTag(origin.etag, answer.headers.etag) ? undefined : origin.lastModified;
  const pairs = [
    ['length', origin.contentLength, contentLength],
    ['Content-Encoding', encodingOf(origin.responseHeader), encodingOf(answer.headers)],
    ['ETag', opaqueTag(origin.etag), opaqueTag(answer.headers.etag)],
    ['Last-Modified', lastModified, answer.headers['last-modified']],
  ] as const;
  for (const [name, before, now] of pairs)
    if (before !== undefined && now !== undefined && before !== now)
      throw wrong(answer, 'DFP_ORIGIN_CHANGED', `has another ${name} now (${now}, before: ${before})`);
}

function describe({ offset, length }: ByteRange | ContentRange): string {
  return `${offset}-${offset + length - 1}`;
}

function wrong({ status, headers, location }: AnswerHead, code: Code, what: string): OriginError {
  return new OriginError(code, `origin ${redactUrl(location.url)} ${what}`, { status, headers });
}
