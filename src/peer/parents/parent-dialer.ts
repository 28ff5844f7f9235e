import type { TaskId } from '../../core/task-id.js';
import type { PieceSlice } from '../../core/piece.js';
import type { CandidateParent } from '../../scheduler-client/scheduler-client.js';
import type { HeldPieces } from '../download/held-pieces.js';
import type { ParentEndpoint } from '../fetch/piece-fetcher.js';

/** A parent says that it holds a piece, and where it serves it. */
export interface PieceOffer extends PieceSlice {
  endpoint: ParentEndpoint;
  /** Of the content that the parent has, as `contentVersionOf` tells it; only our own peers say. */
  contentVersion?: string | undefined;
}

/** A parent's network, in bits per second. */
export interface ParentLoad {
  maxTxBitsPerSecond: number;
  txBitsPerSecond: number;
}

/** Which offers are wanted of a parent. */
export interface OffersRequest {
  taskId: TaskId;
  pieces: readonly number[];
  /** Told to a parent that wants to know: it offers what is lacking first. */
  held: HeldPieces;
  /** Of the span that it belongs to. */
  traceParent: string | undefined;
}

/** How we talk to other peers' upload services. The simulator has its own. */
export interface ParentDialer {
  /**
   * Offers as pieces finish at the parent; ends when it has given all, throws DFP_PARENT_* otherwise. `onAnswer`: the parent is
   * there, and may have nothing yet.
   */
  syncPieces(
    parent: CandidateParent,
    request: OffersRequest,
    signal: AbortSignal,
    onAnswer?: () => void,
  ): AsyncIterable<PieceOffer>;
  /** About once a second; throws DFP_PARENT_* when the parent can't say. */
  syncHost(parent: CandidateParent, request: { peerId: string }, signal: AbortSignal): AsyncIterable<ParentLoad>;
  close(): void;
}
