import { DfpeerError } from '../core/errors.js';
import type { TaskId } from '../core/task-id.js';
import {
  type ContentTag,
  HEADER_LENGTH,
  MAX_VALUE_LENGTH,
  METADATA_FIXED_LENGTH,
  type PieceMetadata,
  REQUEST_VALUE_LENGTH,
  type RequestTag,
  TASK_ID_LENGTH,
  VortexTag,
} from './packets.js';

/** Asks for a piece (docs/WIRE.md 4.2). */
export function encodeRequest(
  taskId: TaskId,
  pieceNumber: number,
  packetId: number = randomPacketId(),
  tag: RequestTag = VortexTag.DOWNLOAD_PIECE,
): Buffer {
  const packet = startPacket(packetId, tag, REQUEST_VALUE_LENGTH);
  packet.write(taskId, HEADER_LENGTH, 'latin1');
  packet.writeUInt32BE(pieceNumber, HEADER_LENGTH + TASK_ID_LENGTH);
  return packet;
}

/** What goes before a piece's bytes: its length counts the metadata only (docs/WIRE.md 4.3). */
export function encodeContent(
  metadata: PieceMetadata,
  packetId: number = randomPacketId(),
  tag: ContentTag = VortexTag.PIECE_CONTENT,
): Buffer {
  const digest = Buffer.from(metadata.digest);
  const parentId = Buffer.from(metadata.parentId);
  const metadataLength = METADATA_FIXED_LENGTH + digest.length + parentId.length;
  const packet = startPacket(packetId, tag, 4 + metadataLength);
  let at = packet.writeUInt32BE(metadataLength, HEADER_LENGTH);
  at = packet.writeUInt32BE(metadata.number, at);
  at = packet.writeBigUInt64BE(BigInt(metadata.offset), at);
  at = packet.writeBigUInt64BE(BigInt(metadata.length), at);
  at = packet.writeUInt32BE(digest.length, at);
  at += digest.copy(packet, at);
  at = packet.writeUInt32BE(parentId.length, at);
  at += parentId.copy(packet, at);
  at = packet.writeUInt8(metadata.trafficType, at);
  at = packet.writeBigUInt64BE(BigInt(metadata.costSeconds), at);
  packet.writeBigInt64BE(BigInt(metadata.createdAtSeconds), at);
  return packet;
}

/** A message too long for a packet is cut (docs/WIRE.md 4.4). */
export function encodeError(code: number, message: string, packetId: number = randomPacketId()): Buffer {
  const text = Buffer.from(message).subarray(0, MAX_VALUE_LENGTH - 1);
  const packet = startPacket(packetId, VortexTag.ERROR, 1 + text.length);
  packet.writeUInt8(code, HEADER_LENGTH);
  text.copy(packet, HEADER_LENGTH + 1);
  return packet;
}

function startPacket(packetId: number, tag: number, valueLength: number): Buffer {
  if (valueLength > MAX_VALUE_LENGTH)
    throw new DfpeerError(
      'DFP_INVALID_ARGUMENT',
      `a vortex packet of ${valueLength} bytes is too long; digest and parent id must be shorter`,
    );
  const packet = Buffer.allocUnsafe(HEADER_LENGTH + valueLength);
  packet.writeUInt8(packetId, 0);
  packet.writeUInt8(tag, 1);
  packet.writeUInt32BE(valueLength, 2);
  return packet;
}

function randomPacketId(): number {
  return Math.floor(Math.random() * 256);
}
