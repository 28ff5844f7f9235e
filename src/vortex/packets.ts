/** Tags of vortex packets (docs/WIRE.md 4.1). */
export const VortexTag = {
  DOWNLOAD_PIECE: 0,
  PIECE_CONTENT: 1,
  DOWNLOAD_PERSISTENT_PIECE: 2,
  PERSISTENT_PIECE_CONTENT: 3,
  DOWNLOAD_PERSISTENT_CACHE_PIECE: 4,
  PERSISTENT_CACHE_PIECE_CONTENT: 5,
  CLOSE: 254,
  ERROR: 255,
} as const;

export type RequestTag = 0 | 2 | 4;
export type ContentTag = 1 | 3 | 5;

/** Codes of an Error packet (docs/WIRE.md 4.4); others are reserved. */
export const VortexErrorCode = { UNKNOWN: 0, INVALID_ARGUMENT: 1, NOT_FOUND: 2, INTERNAL: 3 } as const;

/** Asks for one piece. */
export interface RequestPacket {
  kind: 'request';
  /** Random; nobody checks or echoes it. */
  packetId: number;
  tag: RequestTag;
  /** 64 characters as sent: not yet checked to be a task id. */
  taskId: string;
  pieceNumber: number;
}

/** What is said of a piece before its bytes, which follow outside the packet. */
export interface PieceMetadata {
  number: number;
  offset: number;
  length: number;
  /** `crc32:<decimal>`; may be empty. */
  digest: string;
  /** The peer that the sender got the piece from; may be empty. */
  parentId: string;
  trafficType: number;
  /** Whole seconds. */
  costSeconds: number;
  /** Seconds since the Unix epoch. */
  createdAtSeconds: number;
}

export interface ContentPacket {
  kind: 'content';
  packetId: number;
  tag: ContentTag;
  metadata: PieceMetadata;
}

export interface ErrorPacket {
  kind: 'error';
  packetId: number;
  code: number;
  message: string;
}

export interface ClosePacket {
  kind: 'close';
  packetId: number;
}

export type VortexPacket = RequestPacket | ContentPacket | ErrorPacket | ClosePacket;

/** Packet id, tag, length of the value. */
export const HEADER_LENGTH = 6;
export const TASK_ID_LENGTH = 64;
export const REQUEST_VALUE_LENGTH = TASK_ID_LENGTH + 4;
/** Metadata without digest and parent id. */
export const METADATA_FIXED_LENGTH = 45;
/** Digests, peer ids and error messages are short; more is an attack or a mistake. */
export const MAX_VALUE_LENGTH = 8 * 1024;
