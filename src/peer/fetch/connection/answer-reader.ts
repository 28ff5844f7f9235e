import type { ToldRoute } from '../../../core/told-route.js';

/**
 * Reads one answer of a parent or an http origin, whatever the protocol: bytes in, a result out, no sockets. Chunks may be
 * cut anywhere, and are only valid during the call.
 */
export interface AnswerReader {
  /** Bytes of the piece written so far. */
  readonly pieceBytes: number;
  readonly pieceLength: number;
  /** Of the bytes of the piece that are certain to come, those up to where somebody may wait for them: the end of a block. 0 before the first. */
  readonly untilBlockEnd: number;
  /**
   * Undefined: more is needed.
   * @throws DfpeerError DFP_PARENT_REFUSED, DFP_PARENT_PROTOCOL, DFP_PIECE_DIGEST, DFP_STORE_*; of an origin, OriginError or UnplainAnswerError
   */
  read(chunk: Uint8Array): PieceAnswer | undefined;
  /** The connection ended first. @throws DfpeerError always: DFP_PARENT_UNREACHABLE, DFP_ORIGIN_LENGTH, or what the unfinished answer says */
  end(): never;
  /** Closes the file. Idempotent. */
  close(): void;
}

export interface PieceAnswer {
  /** `crc32:<decimal>` of the bytes written: what the parent announced, if it did. */
  digest: string;
  /** How the parent sends it; undefined when it doesn't say. */
  toldRoute: ToldRoute | undefined;
  /** The connection may carry another request. */
  reusable: boolean;
}
