import { hasCode } from '../../../core/errors.js';
import type { BlocksWish } from '../../../core/piece-blocks.js';
import { formatHostPort } from '../../../core/host-port.js';
import type { PieceSlice } from '../../../core/piece.js';
import type { TaskId } from '../../../core/task-id.js';
import { encodeRequest } from '../../../vortex/codec.js';
import type { ParentEndpoint, ParentPiece } from '../piece-fetcher.js';
import type { Transfer } from '../transfer.js';
import type { PieceAnswer } from '../connection/answer-reader.js';
import type { ConnectionPool } from '../connection/connection-pool.js';
import { exchange } from '../connection/exchange.js';
import { formatPieceRequest, HttpPieceReader, type HttpPieceRequest } from './http-piece-reader.js';
import type { PieceConnection } from '../connection/piece-connection.js';
import { VortexPieceReader } from './vortex-piece-reader.js';

export interface ParentOrder {
  endpoint: ParentEndpoint;
  taskId: TaskId;
  childPeerId: string;
  slice: PieceSlice;
  contentVersion: string | undefined;
  blocksWish: BlocksWish | undefined;
  traceParent: string | undefined;
  path: string;
}

/** Brings one piece from a parent into the file. @throws as PieceFetcher.fromParent */
export async function fetchFromParent(
  order: ParentOrder,
  pool: ConnectionPool,
  transfer: Transfer,
): Promise<ParentPiece> {
  await transfer.permitted(order.slice.length);
  const answer =
    order.endpoint.protocol === 'http'
      ? await fetchOverHttp(order, pool, transfer)
      : await fetchOverVortex(order, pool, transfer);
  const { digest, toldRoute } = answer;
  return { slice: order.slice, digest, toldRoute, costMs: transfer.elapsedMs };
}

/** "parent 10.0.0.1:4007", as in every message about it. */
export function parentName(endpoint: ParentEndpoint): string {
  return `parent ${formatHostPort(endpoint.host, endpoint.port)}`;
}

async function fetchOverHttp(order: ParentOrder, pool: ConnectionPool, transfer: Transfer): Promise<PieceAnswer> {
  const request = {
    ...order,
    parent: transfer.waitingFor,
    blocks: transfer.blocks,
    authority: formatHostPort(order.endpoint.host, order.endpoint.port),
  };
  for (;;) {
    const kept = pool.takeIdle(order.endpoint, transfer.metered);
    if (kept === undefined) break;
    const reader = new HttpPieceReader(request);
    try {
      return await httpExchange(kept, request, reader, pool, transfer);
    } catch (error) {
      // The parent may close a kept connection at the very moment we use it: nobody's fault as long as nothing came.
      const closedBeforehand = hasCode(error, 'DFP_PARENT_UNREACHABLE') && !reader.started;
      if (!closedBeforehand) throw error;
    }
  }
  const connection = await pool.connect(order.endpoint, transfer);
  return httpExchange(connection, request, new HttpPieceReader(request), pool, transfer);
}

async function httpExchange(
  connection: PieceConnection,
  request: HttpPieceRequest,
  reader: HttpPieceReader,
  pool: ConnectionPool,
  transfer: Transfer,
): Promise<PieceAnswer> {
  const answer = await exchange(connection, formatPieceRequest(request), reader, transfer);
  if (answer.reusable) pool.giveBack(connection);
  else connection.destroy();
  return answer;
}

/** A connection for each piece: a Rust parent never reads a second request (docs/WIRE.md 4.5). */
async function fetchOverVortex(order: ParentOrder, pool: ConnectionPool, transfer: Transfer): Promise<PieceAnswer> {
  const connection = await pool.connect(order.endpoint, transfer);
  const reader = new VortexPieceReader({ ...order, parent: transfer.waitingFor });
  try {
    return await exchange(connection, encodeRequest(order.taskId, order.slice.number), reader, transfer);
  } finally {
    connection.destroy();
  }
}
