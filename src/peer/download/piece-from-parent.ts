import { AbortedError, toDfpeerError } from '../../core/errors.js';
import { type PieceSlice, TrafficType } from '../../core/piece.js';
import type { PieceOffer } from '../parents/parent-dialer.js';
import type { StoredTask } from '../store/stored-task.js';
import type { CollectedPiece } from './carriage.js';
import type { DownloadDependencies } from './dependencies.js';
import type { ParentLink } from './parent-link.js';

export interface ParentPieceOrder {
  link: ParentLink;
  offer: PieceOffer;
  task: StoredTask;
  slice: PieceSlice;
  /** The child's own. */
  peerId: string;
  signal: AbortSignal;
  /** Bytes of it came. */
  onBytes: () => void;
}

/** One piece from one parent, into the task's file; a span where downloads are traced. @throws DfpeerError DFP_PARENT_*, DFP_PIECE_*, DFP_STORE_*, DFP_ABORTED */
export async function fetchFromParent(
  { fetcher, settings, clock, tracer, hasChildren, budgets }: DownloadDependencies,
  { link, offer, task, slice, peerId, signal, onBytes }: ParentPieceOrder,
): Promise<CollectedPiece> {
  const { protocol } = offer.endpoint;
  const arrival = task.arrivals.begin(slice, { isFromOrigin: false });
  const span = tracer.begin('piece from parent', {
    'peer.id': peerId,
    'parent.peer.id': link.id,
    'parent.host.id': link.parent.hostId,
    'network.protocol.name': protocol,
    'piece.number': slice.number,
    'piece.size': slice.length,
  });
  try {
    const { digest, costMs, toldRoute } = await fetcher.fromParent({
      endpoint: offer.endpoint,
      taskId: task.taskId,
      childPeerId: peerId,
      slice,
      contentVersion: task.contentVersion,
      path: task.path,
      signal,
      onProgress: onBytes,
      blocks: arrival,
      // A whole piece costs less where nobody waits for it to be passed on.
      blocksWish: hasChildren(task.taskId) ? 'always' : 'arriving',
      budgets: budgets.forParentPiece(),
      idleTimeoutMs: settings.idleTimeoutMs,
      timeoutMs: settings.pieceTimeoutMs,
      traceParent: span.traceParent,
    });
    span.set({ 'parent.route': toldRoute?.route, 'parent.route.reason': toldRoute?.reason });
    span.end();
    return {
      ...slice,
      digest,
      parentId: link.id,
      trafficType: TrafficType.REMOTE_PEER,
      costMs,
      createdAtMs: clock.now(),
      carriage: { protocol, toldRoute },
    };
  } catch (thrown) {
    const error = toDfpeerError(thrown, 'DFP_PARENT_UNREACHABLE');
    span.end(signal.aborted ? new AbortedError(`piece ${slice.number}`) : error);
    throw error;
  } finally {
    task.arrivals.end(arrival);
  }
}
