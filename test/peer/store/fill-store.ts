import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { formatPieceDigest, TrafficType } from '../../../src/core/piece.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import type { StoredTask } from '../../../src/peer/store/stored-task.js';
import type { NewTask, TaskStore } from '../../../src/peer/store/task-store.js';

export interface ContentOfTask {
  url: string;
  content: Buffer;
  pieceLength: number;
}

export function newTask({ url, content, pieceLength }: ContentOfTask): NewTask {
  return {
    taskId: computeTaskId({ url }),
    url,
    tag: '',
    application: '',
    filteredQueryParams: [],
    contentLength: content.length,
    pieceLength,
    fixedPieceLength: undefined,
    etag: '"one"',
    lastModified: undefined,
    responseHeader: { etag: '"one"' },
  };
}

/** As a download does: the bytes, then the record. */
export async function storePiece(task: StoredTask, content: Buffer, number: number): Promise<void> {
  const slice = task.slice(number);
  if (slice === undefined) throw new Error(`the task has no piece ${number}`);
  const bytes = content.subarray(slice.offset, slice.offset + slice.length);
  const file = await open(task.path, 'r+');
  await file.write(bytes, 0, bytes.length, slice.offset);
  await file.close();
  const digest = formatPieceDigest(crc32(bytes));
  await task.addPiece({ ...slice, digest, trafficType: TrafficType.BACK_TO_SOURCE, costMs: 1, createdAtMs: 1 });
}

/** A complete task. */
export async function storeTask(store: TaskStore, what: ContentOfTask): Promise<StoredTask> {
  const task = await store.create(newTask(what));
  for (let number = 0; number < (task.layout?.count ?? 0); number++) await storePiece(task, what.content, number);
  await task.finish();
  return task;
}
