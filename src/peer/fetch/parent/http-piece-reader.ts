import { formatRangeHeader, parseContentRange } from '../../../core/byte-range.js';
import { DfpeerError } from '../../../core/errors.js';
import { BLOCKS_HEADER, type BlocksWish, bytesInBlocks, NO_BLOCKS } from '../../../core/piece-blocks.js';
import type { PieceSlice } from '../../../core/piece.js';
import { CONTENT_VERSION_HEADER, PIECE_DIGEST_HEADER } from '../../../core/piece-header.js';
import { quotable } from '../../../core/printable.js';
import type { TaskId } from '../../../core/task-id.js';
import { parseToldRoute, ROUTE_HEADER } from '../../../core/told-route.js';
import { TRACE_PARENT_HEADER } from '../../../core/tracing.js';
import { ParentRefusedError, parseRetryAfterMs } from '../fetch-errors.js';
import type { AnswerReader, PieceAnswer } from '../connection/answer-reader.js';
import { contentLengthOf, type ResponseHead, ResponseHeadParser } from '../connection/http-response-head.js';
import type { BlocksRequest } from '../piece-fetcher.js';
import { BlocksBody, parseBlockLength } from './blocks-body.js';
import { parseAnnouncedDigest, PieceBody } from './piece-body.js';

/** Of a refusal's text, no more is read. */
export const MAX_REFUSAL_BYTES = 1024;

export interface HttpPieceRequest {
  parent: string;
  /** Of the Host header. */
  authority: string;
  taskId: TaskId;
  childPeerId: string;
  path: string;
  slice: PieceSlice;
  contentVersion?: string | undefined;
  blocksWish?: BlocksWish | undefined;
  /** Told of what comes in blocks. */
  blocks?: BlocksRequest | undefined;
  traceParent?: string | undefined;
}

/** `GET /download/{id[0:3]}/{id}?peerId=…` for the range of one piece. */
export function formatPieceRequest(request: HttpPieceRequest): string {
  const { authority, taskId, childPeerId, slice, blocksWish, traceParent } = request;
  return [
    `GET /download/${taskId.slice(0, 3)}/${taskId}?peerId=${encodeURIComponent(childPeerId)} HTTP/1.1`,
    `Host: ${authority}`,
    `Range: ${formatRangeHeader(slice)}`,
    'Accept-Encoding: identity',
    ...(blocksWish === undefined ? [] : [`${BLOCKS_HEADER}: ${blocksWish}`]),
    ...(traceParent === undefined ? [] : [`${TRACE_PARENT_HEADER}: ${traceParent}`]),
    '\r\n',
  ].join('\r\n');
}

type State =
  | { at: 'head'; parser: ResponseHeadParser }
  | { at: 'body'; head: ResponseHead; body: PieceBody | BlocksBody }
  | { at: 'refusal'; head: ResponseHead; length: number; text: Buffer };

/** Demands 206 for exactly the range that was asked. */
export class HttpPieceReader implements AnswerReader {
  readonly #request: HttpPieceRequest;
  #state: State = { at: 'head', parser: new ResponseHeadParser() };
  #started = false;

  constructor(request: HttpPieceRequest) {
    this.#request = request;
  }

  /** Something of the answer has come. */
  get started(): boolean {
    return this.#started;
  }

  get pieceBytes(): number {
    return this.#state.at === 'body' ? this.#state.body.written : 0;
  }

  get pieceLength(): number {
    return this.#request.slice.length;
  }

  get untilBlockEnd(): number {
    return this.#state.at === 'body' ? this.#state.body.untilBlockEnd : 0;
  }

  read(chunk: Uint8Array): PieceAnswer | undefined {
    let rest = chunk;
    this.#started = true;
    if (this.#state.at === 'head') {
      const { head, consumed } = this.#state.parser.push(chunk);
      if (head === undefined) return undefined;
      this.#state = this.#begin(head);
      rest = chunk.subarray(consumed);
    }
    return this.#state.at === 'body' ? this.#readBody(this.#state, rest) : this.#readRefusal(this.#state, rest);
  }

  end(): never {
    if (this.#state.at === 'refusal') throw this.#refused(this.#state);
    const { parent, slice } = this.#request;
    if (this.#state.at === 'body' && isArriving(this.#state.head)) {
      const text = `${parent} sent ${this.pieceBytes} of ${slice.length} bytes of piece ${slice.number}, which came no further there`;
      // No fault of its own: it may be asked at once for what it has got by now.
      throw new ParentRefusedError(text, { status: this.#state.head.status, retryAfterMs: 0 });
    }
    const progress =
      this.#state.at === 'head' ? 'before its answer' : `after ${this.pieceBytes} of ${slice.length} bytes`;
    throw new DfpeerError(
      'DFP_PARENT_UNREACHABLE',
      `${parent} closed the connection ${progress}, piece ${slice.number}`,
    );
  }

  close(): void {
    if (this.#state.at === 'body') this.#state.body.close();
  }

  #begin(head: ResponseHead): Exclude<State, { at: 'head' }> {
    const { parent, path, slice, blocks } = this.#request;
    const length = contentLengthOf(head);
    const isChunked = head.headers.has('transfer-encoding');
    if (head.status >= 400)
      return {
        at: 'refusal',
        head,
        length: isChunked ? 0 : Math.min(length ?? 0, MAX_REFUSAL_BYTES),
        text: Buffer.alloc(0),
      };
    if (head.status !== 206) throw this.#wrong(`status ${head.status}, wanted 206`);
    if (isChunked || head.headers.has('content-encoding')) throw this.#wrong('an encoded body');
    const range = parseContentRange(head.headers.get('content-range'));
    if (range?.offset !== slice.offset || range.length !== slice.length)
      throw this.#wrong(`Content-Range ${JSON.stringify(head.headers.get('content-range')?.slice(0, 80) ?? 'none')}`);
    const blockLength = this.#blockLengthOf(head);
    const wanted = blockLength === undefined ? slice.length : bytesInBlocks(slice.length, blockLength);
    if (length !== wanted) throw this.#wrong(`Content-Length ${length ?? 'none'}, wanted ${wanted}`);
    this.#checkVersion(head);
    const announcedDigest = parseAnnouncedDigest(head.headers.get(PIECE_DIGEST_HEADER.toLowerCase()));
    const body =
      blockLength === undefined
        ? new PieceBody(parent, path, slice, announcedDigest)
        : new BlocksBody({ parent, path, slice, blockLength, announcedDigest, blocks });
    return { at: 'body', head, body };
  }

  /** Undefined: the piece comes as a whole. */
  #blockLengthOf({ headers }: ResponseHead): number | undefined {
    const told = headers.get(BLOCKS_HEADER.toLowerCase());
    if (told === undefined) return undefined;
    const { blocksWish, slice } = this.#request;
    const blockLength = parseBlockLength(told, slice.length);
    if (blocksWish !== undefined && blockLength !== undefined) return blockLength;
    const what = blocksWish === undefined ? 'blocks that were not asked for' : 'blocks of an impossible length';
    throw this.#wrong(`${what} (${BLOCKS_HEADER}: ${JSON.stringify(told.slice(0, 80))})`);
  }

  /** Its task may have started anew since it offered us the piece. */
  #checkVersion({ status, headers }: ResponseHead): void {
    const { parent, slice, contentVersion } = this.#request;
    const told = headers.get(CONTENT_VERSION_HEADER.toLowerCase());
    if (told === undefined || contentVersion === undefined || told === contentVersion) return;
    throw new ParentRefusedError(`${parent} has another state of the content now, piece ${slice.number}`, { status });
  }

  #readBody({ head, body }: Extract<State, { at: 'body' }>, chunk: Uint8Array): PieceAnswer | undefined {
    if (chunk.length === 0 || !body.write(chunk)) return undefined;
    const toldRoute = parseToldRoute(head.headers.get(ROUTE_HEADER.toLowerCase()));
    return { digest: body.finish(), toldRoute, reusable: head.keepAlive };
  }

  #readRefusal(state: Extract<State, { at: 'refusal' }>, chunk: Uint8Array): undefined {
    state.text = Buffer.concat([state.text, chunk.subarray(0, state.length - state.text.length)]);
    if (state.text.length >= state.length) throw this.#refused(state);
    return undefined;
  }

  #refused({ head, text }: Extract<State, { at: 'refusal' }>): DfpeerError {
    const { parent, slice } = this.#request;
    if (head.headers.get(BLOCKS_HEADER.toLowerCase()) === NO_BLOCKS)
      return new DfpeerError('DFP_PIECE_NOT_FOUND', `${parent} has nothing of piece ${slice.number} any more`);
    const said = quotable(text.toString('utf8')) || quotable(head.reason);
    return new ParentRefusedError(`${parent} refused piece ${slice.number}: HTTP ${head.status} ${said}`, {
      status: head.status,
      retryAfterMs: parseRetryAfterMs(head.headers.get('retry-after'), Date.now()),
    });
  }

  #wrong(what: string): DfpeerError {
    const { parent, slice } = this.#request;
    return new DfpeerError('DFP_PARENT_PROTOCOL', `${parent} answered with ${what} for piece ${slice.number}`);
  }
}

/** Whoever has all of a piece says its digest. */
function isArriving({ headers }: ResponseHead): boolean {
  return headers.has(BLOCKS_HEADER.toLowerCase()) && !headers.has(PIECE_DIGEST_HEADER.toLowerCase());
}
