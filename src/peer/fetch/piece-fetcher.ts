import type { ByteBudget } from '../../core/byte-budget.js';
import type { BlocksWish } from '../../core/piece-blocks.js';
import type { PieceSlice } from '../../core/piece.js';
import type { TaskId } from '../../core/task-id.js';
import type { ToldRoute } from '../../core/told-route.js';

/** Where a parent serves piece bytes. */
export interface ParentEndpoint {
  protocol: 'http' | 'vortex';
  /** IP literal. */
  host: string;
  port: number;
}

/** What every fetch has in common. The promise settles only when nothing writes to `path` on its behalf any more. */
export interface FetchCommon {
  /** An existing file of the store; the bytes are written at the piece's offset. */
  path: string;
  signal: AbortSignal;
  /** Permission for the bytes of this piece; absent when unlimited. Several budgets are spent one within the other. */
  budgets?: readonly ByteBudget[];
  /** No byte for this long: DFP_STALLED. */
  idleTimeoutMs: number;
  /** The whole piece must be there by then: DFP_DEADLINE. */
  timeoutMs: number;
  /** Called now and then with the bytes of this piece so far. */
  onProgress?: (bytes: number) => void;
  /** Tells the blocks of the piece as they come (`core/piece-blocks.ts`); absent: nobody wants to know. Not of streams. */
  blocks?: BlocksRequest | undefined;
}

export interface BlocksRequest {
  blockLength: number;
  /**
   * Called in order with the sum of each block that is in the file and verified: what comes from an origin by nothing but its place, what comes
   * from a parent against the sum that the parent sent with it. Never for a parent that sends the piece as a whole.
   */
  onBlock: (sum: number) => void;
}

export interface FetchedPiece {
  slice: PieceSlice;
  /** `crc32:<decimal>` of the bytes that were written. */
  digest: string;
  costMs: number;
}

export interface ParentPieceRequest extends FetchCommon {
  endpoint: ParentEndpoint;
  taskId: TaskId;
  /** Ours, for the parent's log. */
  childPeerId: string;
  slice: PieceSlice;
  /** Of the content that the task has; a parent that tells another one is refused. */
  contentVersion?: string | undefined;
  /** Whether a parent that serves over HTTP may send blocks. Absent: it may not. */
  blocksWish?: BlocksWish | undefined;
  /** Of the span that the request belongs to; for parents that serve over HTTP. */
  traceParent?: string | undefined;
}

export interface ParentPiece extends FetchedPiece {
  /** How the parent sent it; undefined when it said nothing (an old parent, vortex has no room for it). */
  toldRoute: ToldRoute | undefined;
}

/** An origin, as it was found: a later answer must match or the task starts anew (DFP_ORIGIN_CHANGED). */
export interface OriginContent {
  url: string;
  requestHeader: Readonly<Record<string, string>>;
  /** Undefined: no length is known before the end of the stream. */
  contentLength: number | undefined;
  etag: string | undefined;
  lastModified: string | undefined;
  /** Answers `Range` with 206 and the right Content-Range. */
  supportsRange: boolean;
  /** Of the answer, lower-case names. */
  responseHeader: Readonly<Record<string, string>>;
  /** Who asked for it: every redirect and address is checked accordingly. */
  trust: OriginTrust;
  /** Where redirects led, with the headers that may go there: pieces are asked there first. Absent without redirects. */
  location?: OriginLocation | undefined;
}

export interface OriginLocation {
  url: string;
  requestHeader: Readonly<Record<string, string>>;
}

export interface OriginPieceRequest extends FetchCommon {
  origin: OriginContent;
  slice: PieceSlice;
}

export interface OriginStreamRequest extends FetchCommon {
  origin: OriginContent;
  pieceLength: number;
  /** Pieces that the file has already: read and delivered like the others, but not written again. */
  stored?: readonly number[];
  /** Each piece as its bytes are written and its digest is known, in order; awaited before the next is read. */
  onPiece: (piece: FetchedPiece) => Promise<void>;
}

/** Who brings bytes into the store's files. The real one works in threads; the simulator has its own. */
export interface PieceFetcher {
  /** DFP_PARENT_UNREACHABLE, DFP_PARENT_REFUSED (with its answer), DFP_PARENT_PROTOCOL, DFP_PIECE_DIGEST, DFP_STALLED, DFP_DEADLINE, DFP_STORE_*. */
  fromParent(request: ParentPieceRequest): Promise<ParentPiece>;
  /** DFP_ORIGIN_* (an OriginError with status and headers), DFP_STALLED, DFP_DEADLINE, DFP_STORE_*. 206 and Content-Range are demanded. */
  fromOrigin(request: OriginPieceRequest): Promise<FetchedPiece>;
  /** The whole content in one sequential stream, for origins without Range or without a length. Resolves with the length. */
  streamFromOrigin(request: OriginStreamRequest): Promise<{ contentLength: number }>;
  /** One request for one byte: length, validators, and whether ranges work. */
  statOrigin(request: {
    url: string;
    requestHeader: Readonly<Record<string, string>>;
    signal: AbortSignal;
    timeoutMs: number;
    trust: OriginTrust;
    /** All of it is to come in one answer, which alone is asked for. */
    inOneAnswer?: boolean | undefined;
  }): Promise<OriginContent>;
  close(): Promise<void>;
}

/** Who asked: requests from the network may not reach private addresses unless allow-listed; a local user may. */
export type OriginTrust = 'local-user' | 'network';
