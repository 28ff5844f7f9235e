import { DEFAULT_PRIORITY } from '../core/priority.js';
import type { PeerRegistration } from '../scheduler-client/index.js';
import type { StoredTask } from './store/stored-task.js';

/** What a complete copy is announced with (metadata_only). Undefined for a task that is not complete. */
export function registrationOf(
  task: StoredTask,
  peerId: string,
  concurrentPieceCount: number,
): PeerRegistration | undefined {
  const { record, layout } = task;
  if (!task.complete || layout === undefined || layout.contentLength === 0) return undefined;
  return {
    taskId: task.taskId,
    peerId,
    url: record.url,
    tag: record.tag,
    application: record.application,
    priority: DEFAULT_PRIORITY,
    filteredQueryParams: record.filteredQueryParams,
    // Request headers may hold secrets: they are not kept, and nobody needs them to find us.
    requestHeader: {},
    pieceLength: record.fixedPieceLength,
    concurrentPieceCount,
    actualContentLength: layout.contentLength,
    actualPieceLength: layout.pieceLength,
    actualPieceCount: layout.count,
    needBackToSource: false,
    disableBackToSource: false,
    metadataOnly: true,
  };
}
