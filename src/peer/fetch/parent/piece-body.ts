import { DfpeerError } from '../../../core/errors.js';
import type { PieceSlice } from '../../../core/piece.js';
import { PieceWriter } from '../piece-writer.js';

const PIECE_DIGEST = /^crc32:(0|[1-9]\d{0,9})$/;

/** What a parent said of a piece. Nothing at all is allowed, nonsense is not. @throws DfpeerError DFP_PARENT_PROTOCOL */
export function parseAnnouncedDigest(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(PIECE_DIGEST.exec(text)?.[1] ?? Number.NaN);
  if (value <= 0xffff_ffff) return text;
  throw new DfpeerError('DFP_PARENT_PROTOCOL', `unknown piece digest ${JSON.stringify(text.slice(0, 80))}`);
}

/** The bytes of one piece on their way from a parent into the file, compared with what the parent announced. */
export class PieceBody {
  readonly #announcedDigest: string | undefined;
  readonly #writer: PieceWriter;
  readonly #slice: PieceSlice;
  readonly #parent: string;

  constructor(parent: string, path: string, slice: PieceSlice, announcedDigest: string | undefined) {
    this.#parent = parent;
    this.#slice = slice;
    this.#announcedDigest = announcedDigest;
    this.#writer = new PieceWriter(path, slice);
  }

  get written(): number {
    return this.#writer.written;
  }

  /** It is a block of its own. */
  get untilBlockEnd(): number {
    return this.#writer.remaining;
  }

  /** True once complete. @throws DfpeerError DFP_PARENT_PROTOCOL for bytes beyond the piece, DFP_STORE_* */
  write(chunk: Uint8Array): boolean {
    if (chunk.length > this.#writer.remaining)
      throw new DfpeerError(
        'DFP_PARENT_PROTOCOL',
        `${this.#parent} sent more than the ${this.#slice.length} bytes of piece ${this.#slice.number}`,
      );
    this.#writer.write(chunk);
    return this.#writer.remaining === 0;
  }

  /** Closes the file. @throws DfpeerError DFP_PIECE_DIGEST when the bytes are not what was announced, DFP_STORE_* */
  finish(): string {
    this.#writer.close();
    const { digest } = this.#writer;
    if (this.#announcedDigest === undefined || this.#announcedDigest === digest) return digest;
    throw new DfpeerError(
      'DFP_PIECE_DIGEST',
      `piece ${this.#slice.number} from ${this.#parent} has ${digest}, but ${this.#announcedDigest} was announced`,
    );
  }

  close(): void {
    this.#writer.close();
  }
}
