import { DfpeerError, messageOf } from '../../../core/errors.js';
import type { PieceSlice } from '../../../core/piece.js';
import { quotable } from '../../../core/printable.js';
import {
  type ErrorPacket,
  HEADER_LENGTH,
  MAX_VALUE_LENGTH,
  type PieceMetadata,
  VortexDecoder,
  type VortexPacket,
  VortexTag,
} from '../../../vortex/codec.js';
import { ParentRefusedError } from '../fetch-errors.js';
import type { AnswerReader, PieceAnswer } from '../connection/answer-reader.js';
import { parseAnnouncedDigest, PieceBody } from './piece-body.js';

const MAX_PACKET_LENGTH = HEADER_LENGTH + MAX_VALUE_LENGTH;
const ERROR_NAMES = ['unknown error', 'invalid argument', 'not found', 'internal error'];

/** One vortex answer: a packet, then the raw bytes, which the packet's length does not count (docs/WIRE.md 4.3). */
export class VortexPieceReader implements AnswerReader {
  readonly #parent: string;
  readonly #path: string;
  readonly #slice: PieceSlice;
  readonly #decoder = new VortexDecoder();
  #body: PieceBody | undefined;

  constructor({ parent, path, slice }: { parent: string; path: string; slice: PieceSlice }) {
    this.#parent = parent;
    this.#path = path;
    this.#slice = slice;
  }

  get pieceBytes(): number {
    return this.#body?.written ?? 0;
  }

  get pieceLength(): number {
    return this.#slice.length;
  }

  get untilBlockEnd(): number {
    return this.#body?.untilBlockEnd ?? 0;
  }

  read(chunk: Uint8Array): PieceAnswer | undefined {
    if (this.#body !== undefined) return this.#readBody(this.#body, chunk);
    const copied = Math.min(chunk.length, MAX_PACKET_LENGTH);
    // The decoder keeps what it is given, and the chunk's memory is used again for the next read.
    this.#decoder.push(Buffer.from(chunk.subarray(0, copied)));
    const packet = this.#nextPacket();
    if (packet === undefined) return undefined;
    this.#body = this.#begin(packet);
    return this.#readBody(this.#body, this.#decoder.takeRest()) ?? this.#readBody(this.#body, chunk.subarray(copied));
  }

  end(): never {
    const [parent, { number, length }] = [this.#parent, this.#slice];
    const progress = this.#body === undefined ? 'before its answer' : `after ${this.pieceBytes} of ${length} bytes`;
    throw new DfpeerError('DFP_PARENT_UNREACHABLE', `${parent} closed the connection ${progress}, piece ${number}`);
  }

  close(): void {
    this.#body?.close();
  }

  #nextPacket(): VortexPacket | undefined {
    try {
      return this.#decoder.next();
    } catch (cause) {
      throw this.#wrong(messageOf(cause), cause);
    }
  }

  #begin(packet: VortexPacket): PieceBody {
    if (packet.kind === 'error') throw this.#refused(packet);
    if (packet.kind !== 'content' || packet.tag !== VortexTag.PIECE_CONTENT)
      throw this.#wrong(`a ${packet.kind} packet`);
    this.#compare(packet.metadata);
    return new PieceBody(this.#parent, this.#path, this.#slice, parseAnnouncedDigest(packet.metadata.digest));
  }

  #compare(metadata: PieceMetadata): void {
    const { number, offset, length } = this.#slice;
    if (metadata.number === number && metadata.offset === offset && metadata.length === length) return;
    throw this.#wrong(
      `piece ${metadata.number}, ${metadata.length} bytes at ${metadata.offset} (${length} at ${offset})`,
    );
  }

  #readBody(body: PieceBody, chunk: Uint8Array): PieceAnswer | undefined {
    if (chunk.length === 0 || !body.write(chunk)) return undefined;
    return { digest: body.finish(), toldRoute: undefined, reusable: false };
  }

  #refused({ code, message }: ErrorPacket): ParentRefusedError {
    const name = ERROR_NAMES[code] ?? 'reserved error';
    const text = `${this.#parent} refused piece ${this.#slice.number}: vortex ${code} ${name}: ${quotable(message)}`;
    return new ParentRefusedError(text, { status: code });
  }

  #wrong(what: string, cause?: unknown): DfpeerError {
    const text = `${this.#parent} answered the request for piece ${this.#slice.number} with ${what}`;
    return new DfpeerError('DFP_PARENT_PROTOCOL', text, { cause });
  }
}
