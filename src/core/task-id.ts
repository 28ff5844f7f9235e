import { createHash } from 'node:crypto';
import { UsageError } from './errors.js';

declare const taskIdBrand: unique symbol;
/** 64 lower-case hex digits. A value of this type has been checked: it is safe in paths and never short. */
export type TaskId = string & { readonly [taskIdBrand]: true };

const TASK_ID = /^[0-9a-f]{64}$/;
const BLOBS = '/blobs/';

export function isTaskId(text: string): text is TaskId {
  return TASK_ID.test(text);
}

/** @throws UsageError (DFP_INVALID_ARGUMENT) unless `text` is 64 lower-case hex digits. */
export function parseTaskId(text: string): TaskId {
  if (isTaskId(text)) return text;
  throw new UsageError(
    `task id must be 64 lower-case hex digits, not ${JSON.stringify(text.slice(0, 80))}`,
    undefined,
    'DFP_INVALID_ARGUMENT',
  );
}

/** What makes two downloads the same task. */
export interface TaskIdentity {
  url: string;
  tag?: string | undefined;
  application?: string | undefined;
  filteredQueryParams?: readonly string[];
  /** Only when the client fixed it; a derived piece length is not part of the id. */
  pieceLength?: number | undefined;
  revision?: string | undefined;
  contentForCalculatingTaskId?: string | undefined;
  enableTaskIdBasedBlobDigest?: boolean;
}

/** The v2 task id of standard tasks: hex SHA-256 (docs/WIRE.md 5.5). */
export function computeTaskId(identity: TaskIdentity): TaskId {
  if (identity.contentForCalculatingTaskId !== undefined) return sha256Hex(identity.contentForCalculatingTaskId);
  if (identity.enableTaskIdBasedBlobDigest === true) {
    const digest = blobDigestOf(identity.url);
    if (digest !== undefined) return digest;
  }
  const pieceLength = identity.pieceLength === undefined ? '' : String(identity.pieceLength);
  const url = normaliseUrl(identity.url, identity.filteredQueryParams ?? []);
  return sha256Hex([url, identity.tag, identity.application, identity.revision, pieceLength, 'STANDARD'].join(''));
}

/**
 * The SHA-256 in the URL of a registry's blob, in hex: the task id of such a blob where a client says so. It is what stands last between
 * `…://…/v2/…/blobs/` and a question mark; Dragonfly's pattern for that would take time with the cube of a hostile URL's length.
 */
export function blobDigestOf(url: string): TaskId | undefined {
  let blobs = url.lastIndexOf(BLOBS);
  while (blobs > 0 && isEnd(url[blobs + BLOBS.length])) blobs = url.lastIndexOf(BLOBS, blobs - 1);
  const [scheme, version] = [url.indexOf('://'), url.lastIndexOf('/v2/', blobs - '/v2/'.length)];
  if (scheme < 0 || version < scheme + '://'.length) return undefined;
  const [reference = ''] = url.slice(blobs + BLOBS.length).split('?', 1);
  const digest = reference.slice(reference.lastIndexOf(':') + 1);
  return isTaskId(digest) ? digest : undefined;
}

function isEnd(character: string | undefined): boolean {
  return character === undefined || character === '?';
}

/** The URL as it counts for the id: WHATWG form, without the filtered query parameters, no slash for a bare host. */
export function normaliseUrl(url: string, filteredQueryParams: readonly string[]): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new UsageError(`not a URL: ${JSON.stringify(url.slice(0, 200))}`, { cause }, 'DFP_INVALID_ARGUMENT');
  }
  const filtered = new Set(filteredQueryParams);
  const kept = [...parsed.searchParams].filter(([key]) => !filtered.has(key));
  // Also of an empty query: it takes the question mark with it.
  parsed.search = new URLSearchParams(kept).toString();
  const text = parsed.toString();
  return parsed.pathname === '/' ? withoutTrailingSlashes(text) : text;
}

/** By hand: a regular expression looks at each run of slashes again from each of its slashes. */
function withoutTrailingSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end--;
  return text.slice(0, end);
}

function sha256Hex(text: string): TaskId {
  return parseTaskId(createHash('sha256').update(text).digest('hex'));
}
