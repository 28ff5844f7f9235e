import type { DfpeerError } from '../../src/core/errors.js';

/** What comes back for one request: bytes with the time each chunk takes, then its end. */
export interface Answer {
  headMs: number;
  /** Instead of an answer. */
  refusal?: DfpeerError;
  bytes: Buffer;
  chunkBytes: number;
  msPerChunk: number;
  /** What the answer says of its content; only our own peers do. */
  contentVersion?: string | undefined;
  /** `stalls`: no end, and no byte more. */
  end: 'complete' | 'stalls' | DfpeerError;
}
