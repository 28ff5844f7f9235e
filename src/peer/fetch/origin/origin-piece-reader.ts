import type { PieceSlice } from '../../../core/piece.js';
import { OriginError } from '../../../core/errors.js';
import { redactUrl } from '../../../core/redact.js';
import { type ResponseHead, ResponseHeadParser } from '../connection/http-response-head.js';
import type { AnswerReader, PieceAnswer } from '../connection/answer-reader.js';
import { BlockWriter } from '../block-writer.js';
import type { BlocksRequest, OriginContent, OriginLocation } from '../piece-fetcher.js';
import { isTurnedAway } from '../fetch-errors.js';
import { checkRangeAnswer, wrongStatus } from './answer-checks.js';
import { plainHeaders } from './plain-headers.js';

/** An answer that is more than a 206 with its bytes behind it. */
export class UnplainAnswerError extends Error {}

export interface PlainPieceRequest {
  origin: OriginContent;
  location: OriginLocation;
  slice: PieceSlice;
  path: string;
  blocks: BlocksRequest | undefined;
}

/** Writes the bytes of a plain 206 into the file as they come. */
export class OriginPieceReader implements AnswerReader {
  readonly #request: PlainPieceRequest;
  readonly #parser = new ResponseHeadParser();
  #body: { head: ResponseHead; writer: BlockWriter } | undefined;

  constructor(request: PlainPieceRequest) {
    this.#request = request;
  }

  get pieceBytes(): number {
    return this.#body?.writer.written ?? 0;
  }

  get pieceLength(): number {
    return this.#request.slice.length;
  }

  get untilBlockEnd(): number {
    return this.#body?.writer.untilBlockEnd ?? 0;
  }

  /** @throws UnplainAnswerError, OriginError of a 206 for something else, DfpeerError DFP_PARENT_PROTOCOL for no head, DFP_STORE_* */
  read(chunk: Uint8Array): PieceAnswer | undefined {
    let rest = chunk;
    if (this.#body === undefined) {
      const { head, consumed } = this.#parser.push(chunk);
      if (head === undefined) return undefined;
      this.#body = this.#begin(head);
      rest = chunk.subarray(consumed);
    }
    const { head, writer } = this.#body;
    // What comes beyond the length that it told is not of the answer: some servers send an empty line more.
    const isSurplus = rest.length > writer.remaining;
    if (rest.length > 0) writer.write(rest.subarray(0, writer.remaining));
    if (writer.remaining > 0) return undefined;
    writer.close();
    const { digest } = writer;
    return { digest, toldRoute: undefined, reusable: head.keepAlive && !isSurplus };
  }

  end(): never {
    throw this.#error(`ended its answer too early, after ${this.pieceBytes} of ${this.pieceLength} bytes`);
  }

  close(): void {
    this.#body?.writer.close();
  }

  #begin(head: ResponseHead): { head: ResponseHead; writer: BlockWriter } {
    const { origin, location, slice, path, blocks } = this.#request;
    const { status } = head;
    const isPlain = status === 206 && head.headers.has('content-length') && !head.headers.has('transfer-encoding');
    const answer = { status, headers: plainHeaders(head.headers), location };
    // Whoever has too many requests must not have the same one twice.
    if (isTurnedAway(status) && origin.location === undefined) throw wrongStatus(answer);
    if (!isPlain) throw new UnplainAnswerError(`status ${status}`);
    checkRangeAnswer(answer, origin, slice);
    return { head, writer: new BlockWriter(path, slice, blocks) };
  }

  #error(what: string): OriginError {
    return new OriginError('DFP_ORIGIN_LENGTH', `origin ${redactUrl(this.#request.location.url)} ${what}`);
  }
}
