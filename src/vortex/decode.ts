import { DfpeerError } from '../core/errors.js';
import {
  type ContentPacket,
  type ContentTag,
  HEADER_LENGTH,
  MAX_VALUE_LENGTH,
  METADATA_FIXED_LENGTH,
  REQUEST_VALUE_LENGTH,
  type RequestTag,
  TASK_ID_LENGTH,
  type VortexPacket,
  VortexTag,
} from './packets.js';

/**
 * Reads vortex packets from a stream in any cut, strictly: lengths must fit to the byte and text must be UTF-8.
 * Piece bytes are not packets: after a content packet take them with {@link takeRest}.
 */
export class VortexDecoder {
  #pending: Buffer = Buffer.alloc(0);

  /** Bytes that are no packet yet; at most one packet's worth after next() returned undefined. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
  }

  /**
   * The next whole packet, or undefined until more bytes come.
   * @throws DfpeerError DFP_INVALID_ARGUMENT for a bad request, DFP_PARENT_PROTOCOL for a bad answer; the stream is of no
   * use after that.
   */
  next(): VortexPacket | undefined {
    if (this.#pending.length < HEADER_LENGTH) return undefined;
    const packetId = this.#pending.readUInt8(0);
    const tag = this.#pending.readUInt8(1);
    const length = this.#pending.readUInt32BE(2);
    checkLength(tag, length);
    if (this.#pending.length < HEADER_LENGTH + length) return undefined;
    const value = this.#pending.subarray(HEADER_LENGTH, HEADER_LENGTH + length);
    this.#pending = this.#pending.subarray(HEADER_LENGTH + length);
    return decodeValue(packetId, tag, value);
  }

  /** Everything that came after the last packet; the decoder is empty then. */
  takeRest(): Buffer {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest;
  }
}

/** Known from the header alone, so that a bad packet is refused before its value is awaited. */
function checkLength(tag: number, length: number): void {
  if (isRequestTag(tag)) {
    if (length !== REQUEST_VALUE_LENGTH) throw badRequest(`has ${length} bytes instead of ${REQUEST_VALUE_LENGTH}`);
    return;
  }
  if (tag === VortexTag.CLOSE && length !== 0) throw badAnswer(`a Close packet of ${length} bytes`);
  if (length > MAX_VALUE_LENGTH) throw badAnswer(`a packet of ${length} bytes; at most ${MAX_VALUE_LENGTH} are taken`);
  if (!isContentTag(tag) && tag !== VortexTag.ERROR && tag !== VortexTag.CLOSE)
    throw badAnswer(`the unknown tag ${tag}`);
}

function decodeValue(packetId: number, tag: number, value: Buffer): VortexPacket {
  if (isRequestTag(tag)) {
    const taskId = value.toString('latin1', 0, TASK_ID_LENGTH);
    return { kind: 'request', packetId, tag, taskId, pieceNumber: value.readUInt32BE(TASK_ID_LENGTH) };
  }
  if (isContentTag(tag)) return decodeContent(packetId, tag, value);
  if (tag === VortexTag.CLOSE) return { kind: 'close', packetId };
  if (value.length === 0) throw badAnswer('an Error packet without a code');
  return { kind: 'error', packetId, code: value.readUInt8(0), message: utf8(value.subarray(1)) };
}

function decodeContent(packetId: number, tag: ContentTag, value: Buffer): ContentPacket {
  if (value.length < 4 + METADATA_FIXED_LENGTH) throw badAnswer(`piece metadata of only ${value.length} bytes`);
  const metadataLength = value.readUInt32BE(0);
  if (metadataLength !== value.length - 4) throw badAnswer(`a metadata length of ${metadataLength} in ${value.length}`);
  const digestLength = value.readUInt32BE(24);
  if (METADATA_FIXED_LENGTH + digestLength > metadataLength) throw badAnswer(`a digest of ${digestLength} bytes`);
  const afterDigest = 28 + digestLength;
  const parentIdLength = value.readUInt32BE(afterDigest);
  if (METADATA_FIXED_LENGTH + digestLength + parentIdLength !== metadataLength)
    throw badAnswer(`a parent id of ${parentIdLength} bytes`);
  const afterParentId = afterDigest + 4 + parentIdLength;
  const metadata = {
    number: value.readUInt32BE(4),
    offset: safeInteger(value.readBigUInt64BE(8), 'offset'),
    length: safeInteger(value.readBigUInt64BE(16), 'length'),
    digest: utf8(value.subarray(28, afterDigest)),
    parentId: utf8(value.subarray(afterDigest + 4, afterParentId)),
    trafficType: value.readUInt8(afterParentId),
    costSeconds: safeInteger(value.readBigUInt64BE(afterParentId + 1), 'cost'),
    createdAtSeconds: safeInteger(value.readBigInt64BE(afterParentId + 9), 'creation time'),
  };
  return { kind: 'content', packetId, tag, metadata };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (cause) {
    throw badAnswer('text that is not UTF-8', cause);
  }
}

function safeInteger(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
    throw badAnswer(`an impossible ${what}: ${value.toString()}`);
  return Number(value);
}

function isRequestTag(tag: number): tag is RequestTag {
  return (
    tag === VortexTag.DOWNLOAD_PIECE ||
    tag === VortexTag.DOWNLOAD_PERSISTENT_PIECE ||
    tag === VortexTag.DOWNLOAD_PERSISTENT_CACHE_PIECE
  );
}

function isContentTag(tag: number): tag is ContentTag {
  return (
    tag === VortexTag.PIECE_CONTENT ||
    tag === VortexTag.PERSISTENT_PIECE_CONTENT ||
    tag === VortexTag.PERSISTENT_CACHE_PIECE_CONTENT
  );
}

function badRequest(what: string): DfpeerError {
  return new DfpeerError('DFP_INVALID_ARGUMENT', `a vortex request ${what}`);
}

function badAnswer(what: string, cause?: unknown): DfpeerError {
  return new DfpeerError('DFP_PARENT_PROTOCOL', `vortex: ${what}`, { cause });
}
