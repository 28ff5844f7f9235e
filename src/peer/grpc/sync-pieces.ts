import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { DfpeerError, UsageError } from '../../core/errors.js';
import { BLOCKS_HEADER, parseBlocksWish } from '../../core/piece-blocks.js';
import { CONTENT_VERSION_HEADER } from '../../core/piece-header.js';
import { parseTaskId } from '../../core/task-id.js';
import type { SyncPiecesRequest__Output } from '../../generated/dfdaemon/v2/SyncPiecesRequest.js';
import type { SyncPiecesResponse } from '../../generated/dfdaemon/v2/SyncPiecesResponse.js';
import type { TaskStore } from '../store/task-store.js';
import { contentVersionOf } from '../store/content-version.js';
import { peerIp } from '../../grpc/peer-ip.js';
import { HTTP_PORT_HEADER } from '../parents/grpc-parent-dialer.js';
import type { SendMessage } from '../../grpc/handlers.js';
import { announcePieces } from '../swarm/announce-pieces.js';
import type { OfferPacing } from '../swarm/offer-pacing.js';

/** Pieces that one request may name: more than any task of ours has. */
export const MAX_INTERESTED_PIECES = 100_000;
/** Pieces that all children together wait to hear of. */
export const MAX_AWAITED_PIECES = 4_000_000;

export interface SyncPiecesDependencies {
  store: TaskStore;
  pacing: OfferPacing;
  /** Pieces that children wait to hear of now. */
  awaited: { count: number };
  /** Where this host serves pieces. */
  address(): { ip: string; httpPort: number; tcpPort: number };
}

/**
 * Tells a child which of the pieces it is interested in are here, and each further one as it is finished, until it has heard of all or the
 * task stops (docs/WIRE.md 2.2). @throws DfpeerError when the task is unknown or its download ends early.
 */
export async function syncPieces(
  { store, pacing, awaited, address }: SyncPiecesDependencies,
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
    const slice = task.slice(number);
    if (slice !== undefined) await send({ number, offset: slice.offset, length: slice.length, ip, tcpPort });
  };
  // A child may name a million pieces of a task that has three.
  const interested = new Set(request.interestedPieceNumbers.filter((number) => task.layout?.has(number) !== false));
  request.interestedPieceNumbers = [];
  const awaitedHere = interested.size;
  if (awaited.count + awaitedHere > MAX_AWAITED_PIECES)
    throw new DfpeerError(
      'DFP_LIMIT',
      `children wait for more than ${MAX_AWAITED_PIECES} pieces already; try again later`,
    );
  awaited.count += awaitedHere;
  const child = pacing.join({
    taskId: task.taskId,
    hostId: request.hostId,
    ip: peerIp(call.getPeer()),
  });
  const takesBlocks = parseBlocksWish(String(call.metadata.get(BLOCKS_HEADER)[0])) !== undefined;
  try {
    await announcePieces(task, interested, { child, takesBlocks, announce }, signal);
  } finally {
    awaited.count -= awaitedHere;
    child.leave();
  }
}
