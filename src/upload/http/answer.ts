import type { ServerResponse } from 'node:http';
import { RETRY_AFTER_SECONDS } from '../admission.js';
import type { RefusalCause } from '../metrics.js';
import type { ServedTask } from '../piece-source.js';
import type { Plan } from './plan.js';

/** What tells a child which CRC-32 the piece has that it gets; ours, not part of Dragonfly. */
export const PIECE_DIGEST_HEADER = 'Dfpeer-Piece-Digest';

const STATUS_OF_CAUSE: Record<RefusalCause, number> = {
  'bad-request': 400,
  'not-found': 404,
  range: 416,
  busy: 429,
  internal: 500,
  'not-available': 503,
  connections: 503,
  'shutting-down': 503,
  'timed-out': 503,
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

export function sendRefusal(response: ServerResponse, cause: RefusalCause, text: string): void {
  const close = cause === 'shutting-down' || cause === 'bad-request' ? { Connection: 'close' } : {};
  sendText(response, STATUS_OF_CAUSE[cause], text, close);
}

/** Status and headers of an answer with content; nothing is written yet. */
export function writeContentHead(
  response: ServerResponse,
  plan: Extract<Plan, { kind: 'content' }>,
  task: ServedTask,
  etag: string | undefined,
): void {
  const { status, range, contentRange } = plan;
  const headers: string[] = ['Content-Type', 'application/octet-stream', 'Content-Length', String(range.length)];
  headers.push('Accept-Ranges', 'bytes');
  if (etag !== undefined) headers.push('ETag', etag);
  if (contentRange !== undefined) headers.push('Content-Range', contentRange);
  const contentDigest = status === 200 ? contentDigestField(task.contentDigest) : undefined;
  if (contentDigest !== undefined) headers.push('Content-Digest', contentDigest);
  const pieceDigest = digestOfExactPiece(task, range.offset, range.length);
  if (pieceDigest !== undefined) headers.push(PIECE_DIGEST_HEADER, pieceDigest);
  response.writeHead(status, headers);
}

/** RFC 9530: a structured field with base64 between colons. */
function contentDigestField(digest: string | undefined): string | undefined {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest ?? '')?.[1];
  return hex === undefined ? undefined : `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`;
}

function digestOfExactPiece(task: ServedTask, offset: number, length: number): string | undefined {
  if (offset % task.pieceLength !== 0) return undefined;
  const piece = task.piece(offset / task.pieceLength);
  return piece?.length === length ? piece.digest : undefined;
}
