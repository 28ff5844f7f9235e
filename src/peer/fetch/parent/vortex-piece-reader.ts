import { DfpeerError } from '../../../core/errors.js';
import type { PieceSlice } from '../../../core/piece.js';
import { ParentRefusedError } from '../fetch-errors.js';
import type { AnswerReader, PieceAnswer } from './answer-reader.js';
import { parseAnnouncedDigest, PieceBody } from './piece-body.js';
import { decodeContentMetadata, decodeError, HEADER_BYTES, MAX_VALUE_BYTES, Tag } from './vortex-wire.js';

const ERROR_NAMES = ['unknown error', 'invalid argument', 'not found', 'internal error'];

type State =
  | { at: 'header'; collected: Buffer }
  | { at: 'value'; tag: number; length: number; collected: Buffer }
  | { at: 'body'; body: PieceBody };

/** One vortex answer: packet header, metadata, then the raw bytes, which the packet's length does not count (wire facts, 4.3). */
export class VortexPieceReader implements AnswerReader {
  readonly #parent: string;
  readonly #path: string;
  readonly #slice: PieceSlice;
  #state: State = { at: 'header', collected: Buffer.alloc(0) };

  constructor({ parent, path, slice }: { parent: string; path: string; slice: PieceSlice }) {
    this.#parent = parent;
    this.#path = path;
    this.#slice = slice;
  }

  get pieceBytes(): number {
    return this.#state.at === 'body' ? this.#state.body.written : 0;
  }

  get pieceLength(): number {
    return this.#slice.length;
  }

  read(chunk: Uint8Array): PieceAnswer | undefined {
    let rest = chunk;
    if (this.#state.at === 'header') rest = this.#readHeader(this.#state, rest);
    if (this.#state.at === 'value') rest = this.#readValue(this.#state, rest);
    if (this.#state.at !== 'body' || rest.length === 0) return undefined;
    const { body } = this.#state;
    if (!body.write(rest)) return undefined;
    return { digest: body.finish(), announcedDigest: body.announcedDigest, reusable: false };
  }

  end(): never {
    const progress = this.#state.at === 'body' ? `after ${this.pieceBytes} of ${this.#slice.length} bytes` : 'before its answer';
    throw new DfpeerError(
      'DFP_PARENT_UNREACHABLE',
      `${this.#parent} closed the connection ${progress}, piece ${this.#slice.number}`,
    );
  }

  close(): void {
    if (this.#state.at === 'body') this.#state.body.close();
  }

  #readHeader(state: Extract<State, { at: 'header' }>, chunk: Uint8Array): Uint8Array {
    const wanted = HEADER_BYTES - state.collected.length;
    state.collected = Buffer.concat([state.collected, chunk.subarray(0, wanted)]);
    if (state.collected.length < HEADER_BYTES) return chunk.subarray(chunk.length);
    const [tag, length] = [state.collected.readUInt8(1), state.collected.readUInt32BE(2)];
    if (tag !== Tag.PIECE_CONTENT && tag !== Tag.ERROR) throw this.#wrong(`tag ${tag}`);
    if (length > MAX_VALUE_BYTES) throw this.#wrong(`a packet of ${length} bytes`);
    this.#state = { at: 'value', tag, length, collected: Buffer.alloc(0) };
    return chunk.subarray(wanted);
  }

  #readValue(state: Extract<State, { at: 'value' }>, chunk: Uint8Array): Uint8Array {
    const wanted = state.length - state.collected.length;
    state.collected = Buffer.concat([state.collected, chunk.subarray(0, wanted)]);
    if (state.collected.length < state.length) return chunk.subarray(chunk.length);
    if (state.tag === Tag.ERROR) throw this.#refused(state.collected);
    this.#state = { at: 'body', body: this.#begin(state.collected) };
    return chunk.subarray(wanted);
  }

  #begin(value: Buffer): PieceBody {
    const metadata = decodeContentMetadata(value);
    if (metadata === undefined) throw this.#wrong('malformed metadata');
    const { number, offset, length } = this.#slice;
    if (metadata.number !== number || metadata.offset !== BigInt(offset) || metadata.length !== BigInt(length))
      throw this.#wrong(
        `piece ${metadata.number}, ${metadata.length} bytes at ${metadata.offset}, wanted ${length} at ${offset}`,
      );
    return new PieceBody(this.#parent, this.#path, this.#slice, parseAnnouncedDigest(metadata.digest));
  }

  #refused(value: Buffer): DfpeerError {
    const error = decodeError(value);
    if (error === undefined) return this.#wrong('a malformed error');
    const name = ERROR_NAMES[error.code] ?? `error ${error.code}`;
    const text = `${this.#parent} refused piece ${this.#slice.number}: vortex ${name}: ${error.message}`;
    return new ParentRefusedError(text, { status: error.code });
  }

  #wrong(what: string): DfpeerError {
    return new DfpeerError('DFP_PARENT_PROTOCOL', `${this.#parent} answered with ${what} for piece ${this.#slice.number}`);
  }
}
