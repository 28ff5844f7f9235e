import type { Task__Output } from '../generated/common/v2/Task.js';
import { fromWireLength, fromWireTime } from '../grpc/wire.js';

/** A task as its scheduler sees it. Lengths and times are undefined while unknown. */
export interface TaskStatus {
  taskId: string;
  url: string;
  digest?: string | undefined;
  tag: string;
  application: string;
  filteredQueryParams: readonly string[];
  contentLength: number | undefined;
  pieceCount: number;
  /** Pending, Running, Succeeded, Failed or Leave. */
  state: string;
  peerCount: number;
  hasAvailablePeer: boolean;
  createdAtMs: number | undefined;
  updatedAtMs: number | undefined;
}

export function toTaskStatus(task: Task__Output): TaskStatus {
  return {
    taskId: task.id,
    url: task.url,
    digest: task.digest === '' ? undefined : task.digest,
    tag: task.tag ?? '',
    application: task.application ?? '',
    filteredQueryParams: task.filteredQueryParams,
    contentLength: fromWireLength(task.contentLength),
    pieceCount: task.pieceCount,
    state: task.state,
    peerCount: task.peerCount,
    hasAvailablePeer: task.hasAvailablePeer,
    createdAtMs: fromWireTime(task.createdAt),
    updatedAtMs: fromWireTime(task.updatedAt),
  };
}
