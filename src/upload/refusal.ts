import { type DfpeerError, isOutOfFiles, toDfpeerError } from '../core/errors.js';
import type { RefusalCause } from './metrics.js';

/** An error as a child gets to see it. */
export interface Refusal {
  cause: RefusalCause;
  /** One line for the child. */
  text: string;
  error: DfpeerError;
}

/** Where the error itself is for our own log only. */
const TEXT_OF_CAUSE: Partial<Record<RefusalCause, string>> = {
  internal: 'this piece could not be read',
  disk: 'this piece could not be read',
  'out-of-files': 'this peer has too many files open; try again later',
};

/** The one place that turns errors of the upload side into refusals. What is not ours is not told to the network. */
export function refusalOf(thrown: unknown): Refusal {
  const error = toDfpeerError(thrown);
  const cause = causeOf(error);
  return { cause, text: TEXT_OF_CAUSE[cause] ?? error.message, error };
}

function causeOf(error: DfpeerError): RefusalCause {
  if (error.code === 'DFP_TASK_NOT_FOUND') return 'not-found';
  if (error.code === 'DFP_PIECE_NOT_FOUND' || error.code === 'DFP_TASK_FAILED') return 'not-available';
  if (error.code === 'DFP_LIMIT') return 'busy';
  if (error.code === 'DFP_SHUTTING_DOWN') return 'shutting-down';
  if (error.code === 'DFP_DEADLINE') return 'timed-out';
  // That says nothing of the piece: it may be read in a moment.
  if (isOutOfFiles(error)) return 'out-of-files';
  if (error.kind === 'disk') return 'disk';
  if (error.kind === 'usage') return 'bad-request';
  return 'internal';
}
