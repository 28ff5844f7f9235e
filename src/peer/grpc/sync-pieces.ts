import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { DfpeerError, UsageError } from '../../core/errors.js';
import { CONTENT_VERSION_HEADER } from '../../core/piece-header.js';
import { TrafficType } from '../../core/piece.js';
import { parseTaskId } from '../../core/task-id.js';
import { Wakeup } from '../../core/wakeup.js';
import type { SyncPiecesRequest__Output } from '../../generated/dfdaemon/v2/SyncPiecesRequest.js';
import type { SyncPiecesResponse } from '../../generated/dfdaemon/v2/SyncPiecesResponse.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import { contentVersionOf } from '../store/content-version.js';
import { HTTP_PORT_HEADER } from '../parents/grpc-parent-dialer.js';
import type { SendMessage } from './handlers.js';
import type { AnnouncementOrder } from './announcement-order.js';
import type { OfferPacing, PacedChild } from './offer-pacing.js';

/** A task of 64 MiB pieces with this many would hold 64 TiB. */
export const MAX_INTERESTED_PIECES = 1_000_000;

export interface SyncPiecesDependencies {
  store: TaskStore;
  order: AnnouncementOrder;
  pacing: OfferPacing;
  /** Where this host serves pieces. */
  address(): { ip: string; httpPort: number; tcpPort: number };
}

/**
 * Tells a child which of the pieces it is interested in are here, and each further one as it is finished, until it has heard of all or the
 * task stops (Dragonfly v2 wire facts, 2.2). @throws DfpeerError when the task is unknown or its download ends early.
 */
export async function syncPieces(
  { store, order, pacing, address }: SyncPiecesDependencies,
  request: SyncPiecesRequest__Output,
  send: SendMessage<SyncPiecesResponse>,
  call: ServerWritableStream<SyncPiecesRequest__Output, SyncPiecesResponse>,
  signal: AbortSignal,
): Promise<void> {
  if (request.interestedPieceNumbers.length > MAX_INTERESTED_PIECES)
    throw new UsageError(
      `interested_piece_numbers names more than ${MAX_INTERESTED_PIECES} pieces`,
      undefined,
      'DFP_INVALID_ARGUMENT',
    );
  const task = await store.settled(parseTaskId(request.taskId));
  // The stream starts well and then fails, as children expect it of a parent without the task.
  const metadata = new Metadata();
  metadata.set(HTTP_PORT_HEADER, String(address().httpPort));
  const version = task === undefined ? undefined : contentVersionOf(task.record);
  if (version !== undefined) metadata.set(CONTENT_VERSION_HEADER, version);
  call.sendMetadata(metadata);
  if (task === undefined) throw new DfpeerError('DFP_TASK_FAILED', `task ${request.taskId} not found`);
  const { ip, tcpPort } = address();
  const announce = async (number: number): Promise<void> => {
    const piece = task.piece(number);
    if (piece !== undefined) await send({ number, offset: piece.offset, length: piece.length, ip, tcpPort });
  };
  const child = pacing.join(task.taskId, addressOf(call.getPeer()));
  // What came from a peer is known to others already; a complete task may be all that there is.
  const wasComplete = task.complete;
  const isScarce = (number: number): boolean =>
    wasComplete || task.piece(number)?.trafficType === TrafficType.BACK_TO_SOURCE;
  try {
    const telling = { order, child, announce, isScarce };
    await announceAll(task, new Set(request.interestedPieceNumbers), telling, signal);
  } finally {
    child.leave();
    if (!pacing.isWanted(task.taskId)) order.forget(task.taskId);
  }
}

interface Telling {
  order: AnnouncementOrder;
  child: PacedChild;
  announce: (number: number) => Promise<void>;
  /** Pieces that children can't have from anybody else yet. */
  isScarce: (number: number) => boolean;
}

/** Of the scarce pieces: what the child lacks comes first; what it has from elsewhere it may need again. */
function chooseScarce(
  task: StoredTask,
  interested: ReadonlySet<number>,
  { order, child, isScarce }: Telling,
  which: 'new' | 'any',
): number | undefined {
  const isHere = (number: number): boolean => task.piece(number) !== undefined && isScarce(number);
  const isLacking = (number: number): boolean => isHere(number) && child.holds?.has(number) !== true;
  if (which === 'new')
    return order.next(task.taskId, interested, (number) => isLacking(number) && order.isNew(task.taskId, number));
  return order.next(task.taskId, interested, isLacking) ?? order.next(task.taskId, interested, isHere);
}

/** `10.0.0.1:8002` or `[::1]:8002`, as the piece servers name a child. */
function addressOf(peer: string): string {
  return peer
    .slice(0, peer.lastIndexOf(':'))
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:/, '');
}

/** Told at once: the more know who has it, the better they share the work of passing it on. */
function nextPlentiful(
  task: StoredTask,
  interested: ReadonlySet<number>,
  { order, isScarce }: Telling,
): number | undefined {
  return order.next(task.taskId, interested, (number) => task.piece(number) !== undefined && !isScarce(number));
}

async function announceAll(
  task: StoredTask,
  interested: Set<number>,
  telling: Telling,
  signal: AbortSignal,
): Promise<void> {
  const wakeup = new Wakeup();
  const look = (): void => {
    wakeup.notify();
    telling.child.recall();
  };
  let stopped: DfpeerError | undefined;
  const unsubscribe = task.subscribe({
    onPiece: () => look(),
    onComplete: () => look(),
    onStopped: (error) => {
      stopped = error;
      look();
    },
  });
  const onAbort = (): void => wakeup.notify();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      const next =
        nextPlentiful(task, interested, telling) ??
        (await telling.child.next((which) => chooseScarce(task, interested, telling, which), signal));
      if (next !== undefined) {
        interested.delete(next);
        await telling.announce(next);
        continue;
      }
      if (signal.aborted || interested.size === 0) return;
      // Recalled: its turn is still to come.
      if ([...interested].some((number) => task.piece(number) !== undefined)) continue;
      if (task.complete) return;
      if (stopped !== undefined || !task.downloading)
        throw new DfpeerError(
          'DFP_TASK_FAILED',
          `task ${task.taskId} failed: ${stopped?.message ?? 'it is not being downloaded'}`,
        );
      await wakeup.wait();
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}
