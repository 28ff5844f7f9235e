import { MAX_BUSY_ANSWERS, MAX_REST_MS } from '../../src/peer/download/parent-swarm.js';
import { DISK_TIMEOUT_MS } from '../../src/peer/download/named-waits.js';
import { MAX_RETRY_DELAY_MS, TOO_MANY_PATIENCE_MS } from '../../src/peer/download/origin-source.js';
import { MAX_PARENT_FAILURES } from '../../src/peer/download/parent-link.js';
import { MAX_RESTARTS } from '../../src/peer/download/task-download.js';
import type { Plan } from './plan.js';

/** A scheduler's client answers by then, one way or the other. */
const DECISION_MS = 10_000;
/** Opening and removing tasks on a slow disk. */
const DISK_MS = 60_000;

/** How long all downloads of a plan may take at the very most, by the bounds of each wait: the sum of what may follow one upon the other. */
export function boundMsOf({ disk, settings, parents, contentLengths, pieceLength, clients }: Plan): number {
  const pieces = Math.ceil(Math.max(...contentLengths) / pieceLength);
  const stat = settings.maxOriginAttempts * (settings.originTimeoutMs + MAX_RETRY_DELAY_MS) + TOO_MANY_PATIENCE_MS;
  // Piece by piece, and then all of it once more in one stream.
  const perOriginPiece =
    settings.maxOriginAttempts * (settings.pieceTimeoutMs + MAX_RETRY_DELAY_MS) + TOO_MANY_PATIENCE_MS;
  const origin = 2 * perOriginPiece * pieces;
  const perParent = MAX_BUSY_ANSWERS * MAX_REST_MS + MAX_PARENT_FAILURES * settings.pieceTimeoutMs;
  const perSchedule = DECISION_MS + settings.collectedPieceTimeoutMs + parents.length * perParent;
  const goodPieces = pieces * MAX_PARENT_FAILURES * settings.pieceTimeoutMs;
  const attempt =
    DISK_MS +
    (disk.hangsAtMs === undefined ? 0 : 2 * DISK_TIMEOUT_MS) +
    stat +
    origin +
    goodPieces +
    (settings.maxScheduleCount + 1) * perSchedule;
  const joining = Math.max(...clients.map(({ joinAtMs }) => joinAtMs));
  // Clients that come when a download is about to end without them wait for it, then have one of their own.
  return joining + clients.length * (1 + MAX_RESTARTS) * attempt;
}
