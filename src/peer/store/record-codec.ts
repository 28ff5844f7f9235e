import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { isTaskId, type TaskId } from '../../core/task-id.js';
import type { StoredPieceRecord, TaskRecord } from './metadata.js';

/** Keys: `t/<task id>` and `p/<task id>/<number, ten digits>`, so that pieces come before tasks and in order. */
export function taskKey(taskId: TaskId): string {
  return `t/${taskId}`;
}

export function pieceKey(taskId: TaskId, number: number): string {
  return `p/${taskId}/${String(number).padStart(10, '0')}`;
}

export function pieceKeysOf(taskId: TaskId): { gte: string; lt: string } {
  return { gte: `p/${taskId}/`, lt: `p/${taskId}0` };
}

/** The task that a key names; undefined when it isn't one of our keys. */
export function taskOfKey(key: string): TaskId | undefined {
  const taskId = key.slice(2, 2 + 64);
  return isTaskId(taskId) ? taskId : undefined;
}

/** JSON behind eight hexadecimal digits of its CRC-32. */
export function encodeRecord(value: TaskRecord | StoredPieceRecord): string {
  const json = JSON.stringify(value);
  return sumOf(json) + json;
}

/** Undefined unless the sum fits, the content is a task's, and it stands where it belongs. */
export function decodeTask(key: string, text: string): TaskRecord | undefined {
  const task = taskSchema.safeParse(decodeJson(text)).data;
  if (task === undefined || key !== taskKey(task.taskId)) return undefined;
  const { contentLength, fixedPieceLength, etag, lastModified, lastUsedMs } = task;
  const { finishedAtMs, contentDigest, mark } = task;
  const optional = {
    contentLength,
    fixedPieceLength,
    etag,
    lastModified,
    lastUsedMs,
    finishedAtMs,
    contentDigest,
    mark,
  };
  return { ...task, ...optional };
}

/** Undefined unless the sum fits, the content is a piece's, and it stands where it belongs. */
export function decodePiece(key: string, taskId: TaskId, text: string): StoredPieceRecord | undefined {
  const piece = pieceSchema.safeParse(decodeJson(text)).data;
  return piece !== undefined && key === pieceKey(taskId, piece.number) ? piece : undefined;
}

function decodeJson(text: string): unknown {
  const json = text.slice(8);
  if (sumOf(json) !== text.slice(0, 8)) return undefined;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function sumOf(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

const taskSchema = z.object({
  taskId: z.string().refine(isTaskId),
  url: z.string(),
  tag: z.string(),
  application: z.string(),
  filteredQueryParams: z.array(z.string()),
  contentLength: z.number().optional(),
  pieceLength: z.int().min(1),
  fixedPieceLength: z.number().optional(),
  etag: z.string().optional(),
  lastModified: z.string().optional(),
  responseHeader: z.record(z.string(), z.string()),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
  lastUsedMs: z.number().optional(),
  finishedAtMs: z.number().optional(),
  contentDigest: z.string().optional(),
  mark: z.object({ size: z.number(), mtimeMs: z.number(), inode: z.number() }).optional(),
});

const pieceSchema = z.object({
  number: z.int().min(0),
  digest: z.string().regex(/^crc32:\d{1,10}$/),
  parentId: z.string().optional(),
  trafficType: z.literal([0, 1, 2]),
  costMs: z.number(),
  createdAtMs: z.number(),
  taskCreatedAtMs: z.number(),
});
