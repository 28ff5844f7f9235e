import { BLOCKS_HEADER, type BlocksWish, parseBlocksWish } from '../../core/piece-blocks.js';
import { TRACE_PARENT_HEADER } from '../../core/tracing.js';

/** A request for a piece as children send it: GET, and at most a range. */
export interface PlainRequest {
  target: string;
  range: string | undefined;
  traceParent: string | undefined;
  blocksWish: BlocksWish | undefined;
  /** The client wants no further answer on this connection. */
  close: boolean;
}

const END_OF_HEAD = '\r\n\r\n';
const METHOD = 'GET ';
const VERSION = ' HTTP/1.1';
/** An absolute path in visible ASCII. */
const TARGET = /^\/[!-~]*$/;
/** Visible ASCII, with spaces inside at most. */
const VALUE = /^[!-~](?:[ -~]*[!-~])?$/;
const CONNECTION = /^(?:keep-alive|close)$/i;
const BLOCKS_FIELD = BLOCKS_HEADER.toLowerCase();

/**
 * Reads a whole head that leaves no room for interpretation: one request in these bytes and nothing behind it, few
 * headers that all mean what they always mean. Undefined for anything else, right or wrong: the general parser decides
 * (RFC 9112).
 */
export function parsePlainRequest(bytes: Buffer, maxBytes: number): PlainRequest | undefined {
  if (bytes.length > maxBytes) return undefined;
  const head = bytes.toString('latin1');
  if (!head.startsWith(METHOD) || head.indexOf(END_OF_HEAD) !== head.length - END_OF_HEAD.length) return undefined;
  const endOfLine = head.indexOf('\r\n');
  if (!head.startsWith(VERSION, endOfLine - VERSION.length)) return undefined;
  const target = head.slice(METHOD.length, endOfLine - VERSION.length);
  if (!TARGET.test(target)) return undefined;

  let hasHost = false;
  let close = false;
  let range: string | undefined;
  let traceParent: string | undefined;
  let blocks: string | undefined;
  for (let start = endOfLine + 2; start < head.length - 2;) {
    const end = head.indexOf('\r\n', start);
    const colon = head.indexOf(': ', start);
    if (colon === -1 || colon > end) return undefined;
    const value = head.slice(colon + 2, end);
    if (!VALUE.test(value)) return undefined;
    switch (head.slice(start, colon).toLowerCase()) {
      case 'host':
        if (hasHost) return undefined;
        hasHost = true;
        break;
      case 'range':
        if (range !== undefined) return undefined;
        range = value;
        break;
      case 'connection':
        if (!CONNECTION.test(value)) return undefined;
        close ||= value.length === 'close'.length;
        break;
      case TRACE_PARENT_HEADER:
        if (traceParent !== undefined) return undefined;
        traceParent = value;
        break;
      case BLOCKS_FIELD:
        if (blocks !== undefined) return undefined;
        blocks = value;
        break;
      // These change nothing about a piece.
      case 'user-agent':
      case 'accept':
      case 'accept-encoding':
        break;
      default:
        return undefined;
    }
    start = end + 2;
  }
  return hasHost ? { target, range, traceParent, blocksWish: parseBlocksWish(blocks), close } : undefined;
}
