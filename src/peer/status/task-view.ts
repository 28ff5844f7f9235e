import { counted } from '../../core/counted.js';
import { redactUrl } from '../../core/redact.js';
import type { StoredTask } from '../store/stored-task.js';

/** A stored task as operators see it. */
export interface TaskView {
  id: string;
  /** Without credentials. */
  url: string;
  tag: string;
  application: string;
  contentLength?: number;
  storedBytes: number;
  pieceLength: number;
  pieceCount?: number;
  storedPieces: number;
  complete: boolean;
  createdAtMs: number;
  lastUsedAtMs: number;
  /** What keeps it from being collected. */
  pinnedBy: string[];
}

/** @param uploads of this task, under way */
export function viewTask(task: StoredTask, uploads: number): TaskView {
  const { record, layout } = task;
  return {
    id: task.taskId,
    url: redactUrl(record.url),
    tag: record.tag,
    application: record.application,
    ...(record.contentLength === undefined ? {} : { contentLength: record.contentLength }),
    storedBytes: task.storedBytes,
    pieceLength: record.pieceLength,
    ...(layout === undefined ? {} : { pieceCount: layout.count }),
    storedPieces: task.pieceCount,
    complete: task.complete,
    createdAtMs: record.createdAtMs,
    lastUsedAtMs: task.lastUsedMs,
    pinnedBy: pinsOf(task, uploads),
  };
}

/** Every upload holds one pin; what is left are clients that read, or make an output. */
function pinsOf(task: StoredTask, uploads: number): string[] {
  const readers = Math.max(0, task.pinCount - uploads);
  return [
    ...(task.downloading ? ['download'] : []),
    ...(uploads === 0 ? [] : [counted(uploads, 'upload')]),
    ...(readers === 0 ? [] : [counted(readers, 'reader')]),
  ];
}
