import { OriginError } from '../../../core/errors.js';
import { redactUrl } from '../../../core/redact.js';
import type { OriginContent } from '../piece-fetcher.js';
import { type PieceSink, PieceSum, PieceWriter } from '../piece-writer.js';
import type { Transfer } from '../transfer.js';
import { lengthError, openOrigin, readBody } from './open-origin.js';
import type { OriginClient } from './origin-client.js';
import type { OriginAnswer } from './origin-exchange.js';

export interface OriginStreamOrder {
  origin: OriginContent;
  pieceLength: number;
  /** Numbers of the pieces that are not to be written again. */
  stored: readonly number[];
  path: string;
}

/** Brings the whole content into the file in one stream, piece by piece. @throws as PieceFetcher.streamFromOrigin */
export async function streamOrigin(
  order: OriginStreamOrder,
  client: OriginClient,
  transfer: Transfer,
): Promise<{ contentLength: number }> {
  await transfer.permitted(order.pieceLength);
  const answer = await openOrigin({ origin: order.origin, client, signal: transfer.signal });
  const cutter = new PieceCutter(order, transfer);
  try {
    for (;;) {
      const chunks = await readBody(answer, cutter.bytes);
      if (chunks === undefined) break;
      for (const chunk of chunks) await cutter.write(chunk);
    }
    checkLength(answer, order.origin.contentLength, cutter.bytes);
    await cutter.finish();
    return { contentLength: cutter.bytes };
  } finally {
    answer.body.cancel();
    cutter.close();
  }
}

function checkLength(answer: OriginAnswer, expected: number | undefined, bytes: number): void {
  if (expected === undefined || bytes === expected) return;
  // Where the last chunk says that this was all, no other try brings more.
  if (answer.headers['transfer-encoding'] !== undefined) throw anotherLength(answer.location.url, `${bytes}`, expected);
  throw lengthError(answer, `sent ${bytes} bytes instead of ${expected}`);
}

function anotherLength(url: string, bytes: string, expected: number): OriginError {
  return new OriginError('DFP_ORIGIN_CHANGED', `origin ${redactUrl(url)} sends ${bytes} bytes, and told ${expected}`);
}

interface OpenPiece {
  number: number;
  writer: PieceSink;
  startedAtMs: number;
}

/** Cuts a stream into pieces, each written and delivered before the next begins. */
class PieceCutter {
  readonly #order: OriginStreamOrder;
  readonly #transfer: Transfer;
  readonly #stored: ReadonlySet<number>;
  #bytes = 0;
  #piece: OpenPiece | undefined;

  constructor(order: OriginStreamOrder, transfer: Transfer) {
    this.#order = order;
    this.#transfer = transfer;
    this.#stored = new Set(order.stored);
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#isAllThere) throw anotherLength(this.#order.origin.url, `more than ${this.#bytes}`, this.#bytes);
      const { writer } = (this.#piece ??= this.#begin());
      const part = rest.subarray(0, writer.remaining);
      writer.write(part);
      this.#bytes += part.length;
      rest = rest.subarray(part.length);
      if (!this.#transfer.received(part.length)) await this.#transfer.permitted(this.#order.pieceLength);
      // The last piece counts when the answer has ended with it.
      if (writer.remaining === 0 && !this.#isAllThere) await this.#deliver();
    }
  }

  /** Delivers the last piece, which may be shorter than the others. */
  async finish(): Promise<void> {
    await this.#transfer.permitted(0);
    await this.#deliver();
  }

  close(): void {
    this.#piece?.writer.close();
  }

  /** As much as the origin told. */
  get #isAllThere(): boolean {
    return this.#bytes === this.#order.origin.contentLength;
  }

  #begin(): OpenPiece {
    const { pieceLength, path, origin } = this.#order;
    const offset = this.#bytes;
    const left = (origin.contentLength ?? Number.MAX_SAFE_INTEGER) - offset;
    const [number, length] = [offset / pieceLength, Math.min(pieceLength, left)];
    const writer = this.#stored.has(number) ? new PieceSum(length) : new PieceWriter(path, { offset, length });
    return { number, writer, startedAtMs: this.#transfer.elapsedMs };
  }

  async #deliver(): Promise<void> {
    if (this.#piece === undefined) return;
    const { number, writer, startedAtMs } = this.#piece;
    writer.close();
    this.#piece = undefined;
    await this.#transfer.deliver({
      slice: { number, offset: number * this.#order.pieceLength, length: writer.written },
      digest: writer.digest,
      costMs: this.#transfer.elapsedMs - startedAtMs,
    });
  }
}
