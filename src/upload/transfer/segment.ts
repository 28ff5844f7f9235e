import type { Socket } from 'node:net';
import type { ByteBudget } from '../../core/byte-budget.js';

/** Why whoever moved bytes came back. */
export type SegmentEnd =
  | { kind: 'complete' }
  | { kind: 'interrupted' } // it was asked to: another route, or the end of the upload
  | { kind: 'closed' } // the client is gone
  | { kind: 'unsupported' } // the kernel refuses this pair of file and socket, which is still good
  | { kind: 'engine-failed'; error: Error } // the engine can't go on, another route can
  | { kind: 'broken'; error: Error } // how many bytes went out isn't certain: no route can go on
  | { kind: 'refused'; error: Error } // the limiter takes nobody any more
  | { kind: 'file-error'; error: Error };

/** The stretch of an upload that one route serves: from where the last one stopped to the end, or to an interruption. */
export interface Segment {
  readonly socket: Socket;
  readonly file: { readonly fd: number };
  /** Next byte of the file to send. */
  readonly offset: number;
  /** Bytes still to send; never 0. */
  readonly left: number;
  /** What must go out before the first byte; empty once it is out. */
  readonly head: Uint8Array;
  /** Leases to spend; undefined: no limit. */
  readonly budget: ByteBudget | undefined;
  /** The route must come back at its next quantum. */
  readonly interrupted: boolean;
  /** Aborts when the upload ends: for waits on the budget. */
  readonly signal: AbortSignal;
  /** Called when `interrupted` becomes true, so that a running sendfile stops. */
  onInterrupt: (() => void) | undefined;
  /** Waiting for bandwidth, not for the client: its progress clock stands still. */
  waitingForBudget: boolean;
  /** Reads what a running sendfile has sent beyond what was reported with moved(). */
  inFlight: (() => number) | undefined;
  /** The socket took this many more bytes: `offset` and `left` change with it. */
  moved(bytes: number): void;
  /** The socket took this many bytes of the head. */
  movedHead(bytes: number): void;
}
