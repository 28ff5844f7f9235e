import type { Task } from '../../generated/common/v2/Task.js';
import type { StatLocalTaskResponse } from '../../generated/dfdaemon/v2/StatLocalTaskResponse.js';
import { toTimestamp, toWireLength } from '../../grpc/wire.js';
import type { TaskStatus } from '../../scheduler-client/index.js';
import type { StoredTask } from '../store/stored-task.js';

/** A stored task as StatLocalTask and ListLocalTasks tell it. */
export function toLocalTask(task: StoredTask, uploadingCount: number): StatLocalTaskResponse {
  const { record } = task;
  return {
    taskId: task.taskId,
    pieceLength: record.pieceLength,
    responseHeader: record.responseHeader,
    uploadingCount,
    uploadedCount: task.uploadedCount,
    createdAt: toTimestamp(record.createdAtMs),
    updatedAt: toTimestamp(record.updatedAtMs),
    ...(record.contentLength === undefined ? {} : { contentLength: record.contentLength }),
    ...(record.finishedAtMs === undefined ? {} : { finishedAt: toTimestamp(record.finishedAtMs) }),
  };
}

/** A task as a scheduler told it to us, for a client that asks through us. */
export function toWireTask(task: TaskStatus): Task {
  return {
    id: task.taskId,
    url: task.url,
    tag: task.tag,
    application: task.application,
    filteredQueryParams: [...task.filteredQueryParams],
    contentLength: toWireLength(task.contentLength),
    pieceCount: task.pieceCount,
    state: task.state,
    peerCount: task.peerCount,
    hasAvailablePeer: task.hasAvailablePeer,
    createdAt: toTimestamp(task.createdAtMs ?? 0),
    updatedAt: toTimestamp(task.updatedAtMs ?? 0),
    ...(task.digest === undefined ? {} : { digest: task.digest }),
  };
}
