import { UsageError } from './errors.js';

export const MIN_PIECE_LENGTH = 4 * 1024 * 1024;
export const MAX_PIECE_LENGTH = 64 * 1024 * 1024;
/** Of a content whose length is known beforehand: each costs memory and time before the first byte, whatever an origin claims. 4 TiB. */
export const MAX_PIECES = 65_536;
/** A derived piece length aims at no more pieces than this. */
const TARGET_PIECE_COUNT = 500;

/** How a piece came to us; numbers as on the wire. */
export const TrafficType = { BACK_TO_SOURCE: 0, REMOTE_PEER: 1, LOCAL_PEER: 2 } as const;
export type TrafficType = (typeof TrafficType)[keyof typeof TrafficType];

/** Bytes [offset, offset + length) of a task. */
export interface ByteRange {
  offset: number;
  length: number;
}

/** Where one piece lies in its task. */
export interface PieceSlice extends ByteRange {
  number: number;
}

/** A piece whose bytes are stored and verified. */
export interface StoredPiece extends PieceSlice {
  /** `crc32:<decimal>`, as on the wire. */
  digest: string;
  /** The peer it came from; absent when it came from the origin. */
  parentId?: string | undefined;
  trafficType: TrafficType;
  costMs: number;
  /** Milliseconds since the Unix epoch. */
  createdAtMs: number;
}

/** Next power of two of length/500, between 4 and 64 MiB (docs/WIRE.md 5.3). */
export function derivePieceLength(contentLength: number): number {
  const wanted = Math.floor(contentLength / TARGET_PIECE_COUNT);
  let length = 1;
  while (length < wanted) length *= 2;
  return Math.min(Math.max(length, MIN_PIECE_LENGTH), MAX_PIECE_LENGTH);
}

/** How a content is cut into pieces; every question about numbers, offsets and lengths is answered here. */
export class PieceLayout {
  readonly contentLength: number;
  readonly pieceLength: number;
  readonly count: number;

  /** @throws UsageError unless both are safe integers, contentLength >= 0 and pieceLength >= 1. */
  constructor(contentLength: number, pieceLength: number) {
    if (
      !Number.isSafeInteger(contentLength) ||
      contentLength < 0 ||
      !Number.isSafeInteger(pieceLength) ||
      pieceLength < 1
    )
      throw new UsageError(
        `no piece layout for ${contentLength} bytes in pieces of ${pieceLength}`,
        undefined,
        'DFP_INVALID_ARGUMENT',
      );
    this.contentLength = contentLength;
    this.pieceLength = pieceLength;
    this.count = Math.ceil(contentLength / pieceLength);
  }

  has(number: number): boolean {
    return Number.isInteger(number) && number >= 0 && number < this.count;
  }

  /** @throws UsageError when there is no such piece. */
  slice(number: number): PieceSlice {
    if (!this.has(number))
      throw new UsageError(`no piece ${number} in a task of ${this.count} pieces`, undefined, 'DFP_INVALID_ARGUMENT');
    const offset = number * this.pieceLength;
    return { number, offset, length: Math.min(this.pieceLength, this.contentLength - offset) };
  }

  /** The pieces that a range touches, in order; none for an empty range. */
  covering(range: ByteRange): PieceSlice[] {
    const end = Math.min(range.offset + range.length, this.contentLength);
    if (range.length <= 0 || range.offset >= end) return [];
    const first = Math.floor(range.offset / this.pieceLength);
    const last = Math.floor((end - 1) / this.pieceLength);
    return Array.from({ length: last - first + 1 }, (_, index) => this.slice(first + index));
  }

  all(): PieceSlice[] {
    return this.covering({ offset: 0, length: this.contentLength });
  }
}

/** `crc32:<decimal>` of an unsigned CRC-32 (docs/WIRE.md 5.1). */
export function formatPieceDigest(crc32: number): string {
  return `crc32:${crc32 >>> 0}`;
}
