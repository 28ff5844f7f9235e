import { DfpeerError } from '../../../core/errors.js';

export const MAX_HEAD_BYTES = 16 * 1024;
export const MAX_HEADERS = 64;

export interface ResponseHead {
  status: number;
  reason: string;
  /** Lower-case names; repeated headers are refused, so each has one value. */
  headers: ReadonlyMap<string, string>;
  /** The connection may carry another request once the body is read. */
  keepAlive: boolean;
}

export interface HeadProgress {
  /** Undefined until the head is complete. */
  head: ResponseHead | undefined;
  /** Bytes of this chunk that belong to the head. */
  consumed: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

/**
 * Collects and parses the head of one HTTP/1.x response, as strict as RFC 9112 lets a recipient be: no bare LF, no folded
 * lines, no space before a colon, no header twice. A parent is another dfpeer; what is unusual is wrong.
 */
export class ResponseHeadParser {
  #collected: Buffer = NOTHING;

  /** @throws DfpeerError DFP_PARENT_PROTOCOL on a malformed or oversize head */
  push(chunk: Uint8Array): HeadProgress {
    const before = this.#collected.length;
    // A head fits one chunk nearly always, and what follows it may be a whole piece: copy no more than a head may have.
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.length, MAX_HEAD_BYTES + 1 - before));
    const collected = before === 0 ? bytes : Buffer.concat([this.#collected, bytes]);
    const end = collected.indexOf(END_OF_HEAD, Math.max(0, before - END_OF_HEAD.length + 1));
    const length = end === -1 ? collected.length : end + END_OF_HEAD.length;
    if (length > MAX_HEAD_BYTES) throw malformed(`response head longer than ${MAX_HEAD_BYTES} bytes`);
    if (end === -1) {
      this.#collected = Buffer.from(collected);
      return { head: undefined, consumed: chunk.length };
    }
    this.#collected = NOTHING;
    return { head: parseResponseHead(collected.toString('latin1', 0, end)), consumed: length - before };
  }
}

/** `text`: the head without the empty line at its end. @throws DfpeerError DFP_PARENT_PROTOCOL */
export function parseResponseHead(text: string): ResponseHead {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const match = STATUS_LINE.exec(statusLine);
  if (match === null) throw malformed(`status line ${quote(statusLine)}`);
  if (lines.length > MAX_HEADERS) throw malformed(`more than ${MAX_HEADERS} headers`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = HEADER_LINE.exec(line) ?? [];
    if (name === '') throw malformed(`header line ${quote(line)}`);
    if (headers.has(name.toLowerCase())) throw malformed(`header ${name} twice`);
    headers.set(name.toLowerCase(), value);
  }
  return {
    status: Number(match[2]),
    reason: match[3] ?? '',
    headers,
    keepAlive: match[1] === '1' && !/\bclose\b/i.test(headers.get('connection') ?? ''),
  };
}

/** Undefined without the header. @throws DfpeerError DFP_PARENT_PROTOCOL when it is not a safe integer */
export function contentLengthOf(head: ResponseHead): number | undefined {
  const text = head.headers.get('content-length');
  if (text === undefined) return undefined;
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw malformed(`Content-Length ${quote(text)}`);
  return length;
}

function malformed(what: string): DfpeerError {
  return new DfpeerError('DFP_PARENT_PROTOCOL', `not an HTTP answer a piece server gives: ${what}`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
