import type { ServerResponse } from 'node:http';
import { BLOCKS_HEADER, bytesInBlocks } from '../../core/piece-blocks.js';
import { CONTENT_VERSION_HEADER, PIECE_DIGEST_HEADER } from '../../core/piece-header.js';
import { formatToldRoute, ROUTE_HEADER, type ToldRoute } from '../../core/told-route.js';
import { RETRY_AFTER_SECONDS } from '../admission.js';
import type { RefusalCause } from '../metrics.js';
import type { ServedTask } from '../piece-source.js';
import type { ContentPlan } from './plan.js';

const STATUS_OF_CAUSE: Record<RefusalCause, number> = {
  'bad-request': 400,
  'not-found': 404,
  range: 416,
  busy: 429,
  disk: 500,
  internal: 500,
  'not-available': 503,
  connections: 503,
  'shutting-down': 503,
  'timed-out': 503,
  'out-of-files': 503,
};

/** A short answer in plain text. `Retry-After` goes with whatever may change soon. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
    ...(status === 429 || status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
    ...headers,
  });
  response.end(body);
}

export function sendRefusal(
  response: ServerResponse,
  cause: RefusalCause,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const close = cause === 'shutting-down' || cause === 'bad-request' ? { Connection: 'close' } : {};
  sendText(response, STATUS_OF_CAUSE[cause], text, { ...close, ...headers });
}

/** Status and headers of an answer with content, or of the same without it (HEAD); nothing is written yet. */
export function writeContentHead(
  response: ServerResponse,
  plan: ContentPlan,
  task: ServedTask,
  etag: string | undefined,
  route?: ToldRoute,
): void {
  response.writeHead(plan.status, contentFields(plan, task, etag, route));
}

/** Names and values in turn, as `writeHead` takes them. `route`: how the bytes set off; undefined: none do (HEAD). */
export function contentFields(
  plan: ContentPlan,
  task: ServedTask,
  etag: string | undefined,
  route: ToldRoute | undefined,
): string[] {
  const { range, contentRange, blocks } = plan;
  const bodyLength = blocks === undefined ? range.length : bytesInBlocks(range.length, blocks.blockLength);
  const headers: string[] = ['Content-Type', 'application/octet-stream', 'Content-Length', String(bodyLength)];
  headers.push('Accept-Ranges', 'bytes');
  if (etag !== undefined) headers.push('ETag', etag);
  if (contentRange !== undefined) headers.push('Content-Range', contentRange);
  const digest = digestField(task.contentDigest);
  if (digest !== undefined) {
    headers.push('Repr-Digest', digest);
    // A part, or the nothing that HEAD gets, has another one: none is computed for a request.
    const isWhole = range.length === task.contentLength && blocks === undefined;
    if (route !== undefined && isWhole) headers.push('Content-Digest', digest);
  }
  if (route !== undefined) headers.push(ROUTE_HEADER, formatToldRoute(route));
  const pieceDigest = digestOfExactPiece(task, range.offset, range.length);
  if (pieceDigest !== undefined) headers.push(PIECE_DIGEST_HEADER, pieceDigest);
  if (blocks !== undefined) headers.push(BLOCKS_HEADER, String(blocks.blockLength));
  const isPiece = pieceDigest !== undefined || blocks !== undefined;
  if (isPiece && task.contentVersion !== undefined) headers.push(CONTENT_VERSION_HEADER, task.contentVersion);
  return headers;
}

/** RFC 9530: a structured field with base64 between colons. */
function digestField(digest: string | undefined): string | undefined {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest ?? '')?.[1];
  return hex === undefined ? undefined : `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`;
}

function digestOfExactPiece(task: ServedTask, offset: number, length: number): string | undefined {
  if (offset % task.pieceLength !== 0) return undefined;
  const piece = task.piece(offset / task.pieceLength);
  return piece?.length === length ? piece.digest : undefined;
}
