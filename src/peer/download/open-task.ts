import { opaqueTag } from '../../core/entity-tag.js';
import { DfpeerError, OriginError } from '../../core/errors.js';
import { derivePieceLength, MAX_PIECE_LENGTH, MAX_PIECES } from '../../core/piece.js';
import { formatBytes } from '../../core/units.js';
import { isRetryable } from '../fetch/fetch-errors.js';
import { encodingOf } from '../fetch/origin/answer-checks.js';
import type { OriginContent } from '../fetch/piece-fetcher.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import type { NamedWaits } from './named-waits.js';
import type { OriginSource } from './origin-source.js';

/** After a crash the pieces of a large task are read again before anybody gets them. */
export const CHECK_TIMEOUT_MS = 600_000;

interface Opening {
  origin: OriginSource;
  /** What this very download has worked on before. */
  begun: StoredTask | undefined;
  /** No two answers of the origin are to be compared, nor put together. */
  inOneAnswer: boolean;
  waits: NamedWaits;
  signal: AbortSignal;
}

export interface OpenedTask {
  task: StoredTask;
  /** Absent when the origin was not asked (complete), or could not be (what is stored counts, and the rest comes from parents). */
  content: OriginContent | undefined;
  /** What was stored before is another state of the content: parents may have that one still. */
  replaced: boolean;
}

/** The task to download into: the stored one when it is complete, or still what the origin has; otherwise a fresh one. */
export async function openTask(
  { store, logger }: DownloadDependencies,
  request: DownloadRequest,
  { origin, begun, inOneAnswer, waits, signal }: Opening,
): Promise<OpenedTask> {
  const { taskId } = request;
  const stored = await waits.atMost(
    { waitingFor: `the check of what is stored of task ${taskId}`, timeoutMs: CHECK_TIMEOUT_MS, signal },
    () => store.settled(taskId),
  );
  const isComplete = stored?.complete === true;
  if (isComplete && !stored.removed && request.doubtsComplete !== true)
    return { task: stored, content: undefined, replaced: false };
  let content: OriginContent;
  try {
    const canDoWithout = stored?.layout !== undefined && !stored.removed;
    content = await origin.stat({ inOneAnswer, canDoWithout });
    if (inOneAnswer) content = { ...content, etag: undefined, lastModified: undefined };
  } catch (thrown) {
    if (stored?.layout === undefined || stored.removed || signal.aborted) throw thrown;
    if (!isComplete && isRefusal(thrown)) throw thrown;
    return { task: stored, content: undefined, replaced: false };
  }
  const told = stored && isSameContent(stored, content);
  // What was here a moment ago is taken for what the origin has now, or no download with a full disk would end.
  const isSame = told ?? (begun !== undefined && stored === begun);
  // It may have been removed while the origin was asked.
  if (isSame && stored?.removed === false && content.contentLength !== undefined)
    return { task: stored, content, replaced: false };
  if (stored !== undefined && told === undefined)
    logger.info(
      {},
      'the origin has no ETag or Last-Modified that tells whether this is what is stored: it starts anew',
    );
  const task = await waits.disk(`begin task ${taskId}`, () => createTask(store, request, content));
  return { task, content, replaced: told === false || (stored !== undefined && request.doubtsComplete === true) };
}

async function createTask(store: TaskStore, request: DownloadRequest, content: OriginContent): Promise<StoredTask> {
  const { taskId, url, tag, application, filteredQueryParams, pieceLength: fixedPieceLength } = request;
  const { contentLength = 0 } = content;
  const pieceLength = fixedPieceLength ?? derivePieceLength(contentLength);
  if (contentLength > MAX_PIECES * pieceLength) throw tooManyPieces(contentLength, pieceLength);
  return store.create({
    taskId,
    url,
    tag,
    application,
    filteredQueryParams: [...filteredQueryParams],
    contentLength: content.contentLength,
    pieceLength,
    fixedPieceLength,
    etag: content.etag,
    lastModified: content.lastModified,
    responseHeader: { ...content.responseHeader },
  });
}

function tooManyPieces(contentLength: number, pieceLength: number): DfpeerError {
  const remedy = pieceLength < MAX_PIECE_LENGTH ? '; give a larger --piece-length' : '';
  const [content, piece] = [formatBytes(contentLength), formatBytes(pieceLength)];
  return new DfpeerError(
    'DFP_LIMIT',
    `the origin tells a length of ${content}: more than ${MAX_PIECES} pieces of ${piece}${remedy}`,
  );
}

/** The origin said no; that it can't be reached, has a fault, or is overloaded, is no such answer. */
function isRefusal(thrown: unknown): boolean {
  if (!(thrown instanceof OriginError) || thrown.code === 'DFP_ORIGIN_UNREACHABLE') return false;
  return (thrown.status ?? 0) < 500 && !isRetryable(thrown);
}

/** Whether what is stored is (part of) what the origin has now; undefined without a validator of both that would tell. */
export function isSameContent(stored: StoredTask, content: OriginContent): boolean | undefined {
  const { etag, lastModified, contentLength, responseHeader } = stored.record;
  if (contentLength !== content.contentLength || encodingOf(responseHeader) !== encodingOf(content.responseHeader))
    return false;
  if (etag !== undefined && content.etag !== undefined) return opaqueTag(etag) === opaqueTag(content.etag);
  if (lastModified === undefined || content.lastModified === undefined) return undefined;
  return lastModified === content.lastModified;
}
