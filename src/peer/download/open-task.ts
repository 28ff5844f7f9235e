import { OriginError } from '../../core/errors.js';
import { derivePieceLength } from '../../core/piece.js';
import type { OriginContent } from '../fetch/piece-fetcher.js';
import type { StoredTask } from '../store/stored-task.js';
import type { DownloadDependencies } from './dependencies.js';
import type { DownloadRequest } from './download-request.js';
import type { OriginSource } from './origin-source.js';

/**
 * The task to download into: the stored one when it is complete, or still what the origin has; otherwise a fresh one.
 * `content` is absent when the origin was not asked (complete), or could not be (a partial task goes on from its parents).
 */
export async function openTask(
  { store }: DownloadDependencies,
  request: DownloadRequest,
  origin: OriginSource,
  signal: AbortSignal,
): Promise<{ task: StoredTask; content: OriginContent | undefined }> {
  const stored = await store.settled(request.taskId);
  if (stored?.complete === true) return { task: stored, content: undefined };
  let content: OriginContent;
  try {
    content = await origin.stat();
  } catch (thrown) {
    if (stored?.layout === undefined || stored.removed || isRefusal(thrown) || signal.aborted) throw thrown;
    return { task: stored, content: undefined };
  }
  // It may have been removed while the origin was asked.
  if (stored?.removed === false && content.contentLength !== undefined && isSameContent(stored, content))
    return { task: stored, content };
  const { taskId, url, tag, application, filteredQueryParams, pieceLength } = request;
  const task = await store.create({
    taskId,
    url,
    tag,
    application,
    filteredQueryParams: [...filteredQueryParams],
    contentLength: content.contentLength,
    pieceLength: pieceLength ?? derivePieceLength(content.contentLength ?? 0),
    fixedPieceLength: pieceLength,
    etag: content.etag,
    lastModified: content.lastModified,
    responseHeader: { ...content.responseHeader },
  });
  return { task, content };
}

/** The origin said no; that it can't be reached, or is overloaded, is no such answer. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof OriginError && thrown.code !== 'DFP_ORIGIN_UNREACHABLE' && (thrown.status ?? 0) < 500;
}

/** Whether what is stored is (part of) what the origin has now. */
export function isSameContent(stored: StoredTask, content: OriginContent): boolean {
  const { etag, lastModified, contentLength } = stored.record;
  if (contentLength !== content.contentLength) return false;
  if (etag !== undefined && content.etag !== undefined) return etag === content.etag;
  return lastModified === content.lastModified;
}
