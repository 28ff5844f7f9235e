import type { ByteRange, PieceSlice, StoredPiece } from '../core/piece.js';
import type { TaskId } from '../core/task-id.js';

/** Where the upload side gets tasks from. The peer's store implements it; tests and other programs may too. */
export interface PieceSource {
  /**
   * A pinned view of a task, or undefined when it is not known here. The caller must release it exactly once.
   * @throws DfpeerError DFP_STORE_IO when it is known, but can't be read now
   */
  open(taskId: TaskId): ServedTask | undefined;
}

/** A piece whose blocks can be verified one by one (`core/piece-blocks.ts`); the last of them may still be on their way here. */
export interface PieceBlocks {
  readonly blockLength: number;
  /** The piece is stored and verified: no block is waited for. */
  readonly complete: boolean;
  /**
   * The sum of a block, once its bytes and all before them are in the file and verified. Rejects with a coded error when the piece comes no
   * further (its bytes in the file are undefined from then on), or with the signal's reason.
   */
  sum(index: number, signal: AbortSignal): number | Promise<number>;
  /** Called at most once, as soon as the piece comes no further: nothing more may be served of it. Returns how to unsubscribe. */
  onBroken(listener: () => void): () => void;
}

/** A task while somebody reads it: pinned against garbage collection, its file open. */
export interface ServedTask {
  readonly taskId: TaskId;
  /** Labels of the upload metrics. */
  readonly labels: { type: number; tag: string; application: string };
  /** Open for reading until release(); bytes outside verified pieces are undefined: never serve them. */
  readonly file: { readonly fd: number; readonly path: string };
  /** Undefined until known (an origin without Content-Length that is still streaming). */
  readonly contentLength: number | undefined;
  readonly pieceLength: number;
  /** Every piece is stored and verified. */
  readonly complete: boolean;
  /** `sha256:<hex>` of the whole content, when known. */
  readonly contentDigest: string | undefined;
  /** Tells two states of the origin's content apart, when the origin does. Children compare it. */
  readonly contentVersion?: string | undefined;

  /** The piece's record, if it is stored and verified. */
  piece(number: number): StoredPiece | undefined;
  /** The piece in blocks: while it arrives, once its rest is to be expected soon; when it is stored, as long as the sums of its blocks are known. */
  blocks(number: number): PieceBlocks | undefined;
  /** Where a piece lies, if the task has such a piece. */
  slice(number: number): PieceSlice | undefined;
  /** Every byte of the range is in verified pieces. */
  has(range: ByteRange): boolean;
  /** The task is being downloaded here right now, so that waiting makes sense. */
  readonly downloading: boolean;
  /** Resolves once has(range); rejects with a coded error when the download fails, or with the signal's reason. */
  whenAvailable(range: ByteRange, signal: AbortSignal): Promise<void>;
  release(): void;
}
