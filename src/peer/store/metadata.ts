import { ClassicLevel } from 'classic-level';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { DfpeerError } from '../../core/errors.js';
import type { StoredPiece } from '../../core/piece.js';
import { isTaskId, type TaskId } from '../../core/task-id.js';

/** What is kept of a task beside its bytes. */
export interface TaskRecord {
  taskId: TaskId;
  url: string;
  tag: string;
  application: string;
  filteredQueryParams: string[];
  /** Undefined until an origin without Content-Length has sent its last byte. */
  contentLength: number | undefined;
  pieceLength: number;
  /** Only when the client fixed it: part of the task's identity. */
  fixedPieceLength: number | undefined;
  etag: string | undefined;
  lastModified: string | undefined;
  responseHeader: Record<string, string>;
  createdAtMs: number;
  updatedAtMs: number;
  /** When the last piece was stored and synced; undefined while partial. */
  finishedAtMs: number | undefined;
  /** `sha256:<hex>` of the whole content, when it was computed. */
  contentDigest: string | undefined;
  /** The data file as it was when all recorded pieces were known good; undefined after a crash. */
  mark: { size: number; mtimeMs: number; inode: number } | undefined;
}

export interface LoadedTask {
  record: TaskRecord;
  pieces: Map<number, StoredPieceRecord>;
}

/** A piece without what the layout says of it. */
export type StoredPieceRecord = Omit<StoredPiece, 'offset' | 'length'>;

/** Durable small records; batches are atomic. The simulator has its own. */
export interface MetadataStore {
  /** Everything that is intact; `damaged` lists the tasks of which something was not. */
  load(): Promise<{ tasks: LoadedTask[]; damaged: TaskId[] }>;
  putTask(record: TaskRecord, options: { sync: boolean }): Promise<void>;
  putPiece(taskId: TaskId, piece: StoredPieceRecord): Promise<void>;
  deletePieces(taskId: TaskId, numbers: readonly number[]): Promise<void>;
  deleteTask(taskId: TaskId): Promise<void>;
  close(): Promise<void>;
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
});

/** LevelDB: its lock file refuses a second process, its batches are atomic. Each value carries its own CRC-32. */
export class LevelMetadataStore implements MetadataStore {
  readonly #db: ClassicLevel;

  private constructor(db: ClassicLevel) {
    this.#db = db;
  }

  /** @throws DfpeerError DFP_STORE_LOCKED when another process has it, DFP_STORE_DAMAGED when LevelDB can't open it. */
  static async open(directory: string): Promise<LevelMetadataStore> {
    const db = new ClassicLevel(directory);
    try {
      await db.open();
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (code === 'LEVEL_LOCKED')
        throw new DfpeerError(
          'DFP_STORE_LOCKED',
          `another dfdaemon uses ${directory}; stop it, or give this one its own storage.dir`,
          { cause: error },
        );
      throw new DfpeerError('DFP_STORE_DAMAGED', `can't open the metadata in ${directory}: ${String(cause)}`, {
        cause: error,
      });
    }
    return new LevelMetadataStore(db);
  }

  /** Rebuilds what LevelDB can salvage of a damaged directory. */
  static async repair(directory: string): Promise<void> {
    await ClassicLevel.repair(directory);
  }

  async load(): Promise<{ tasks: LoadedTask[]; damaged: TaskId[] }> {
    const tasks = new Map<string, LoadedTask>();
    const damaged = new Set<string>();
    const orphans = new Set<string>();
    // 'p/…' sorts before 't/…': pieces wait for their task.
    const pieces = new Map<string, StoredPieceRecord[]>();
    for await (const [key, text] of this.#db.iterator()) {
      const [kind, taskId = ''] = key.split('/');
      const value = decodeRecord(text);
      const task = kind === 't' ? taskSchema.safeParse(value) : undefined;
      const piece = kind === 'p' ? pieceSchema.safeParse(value) : undefined;
      if (task?.success === true && task.data.taskId === taskId)
        tasks.set(taskId, { record: asTaskRecord(task.data), pieces: new Map() });
      else if (piece?.success === true && key === pieceKey(taskId, piece.data.number)) {
        const list = pieces.get(taskId) ?? [];
        if (list.push(piece.data) === 1) pieces.set(taskId, list);
      } else {
        damaged.add(taskId);
        orphans.add(key);
      }
    }
    for (const [taskId, list] of pieces) {
      const task = tasks.get(taskId);
      if (task === undefined) {
        damaged.add(taskId);
        for (const { number } of list) orphans.add(pieceKey(taskId, number));
      } else for (const piece of list) task.pieces.set(piece.number, piece);
    }
    if (orphans.size > 0) await this.#db.batch([...orphans].map((key) => ({ type: 'del', key })));
    return { tasks: [...tasks.values()], damaged: [...damaged].filter(isTaskId) };
  }

  async putTask(record: TaskRecord, options: { sync: boolean }): Promise<void> {
    await this.#db.batch([{ type: 'put', key: taskKey(record.taskId), value: encodeRecord(record) }], options);
  }

  async putPiece(taskId: TaskId, piece: StoredPieceRecord): Promise<void> {
    await this.#db.put(pieceKey(taskId, piece.number), encodeRecord(piece));
  }

  async deletePieces(taskId: TaskId, numbers: readonly number[]): Promise<void> {
    await this.#db.batch(
      numbers.map((number) => ({ type: 'del', key: pieceKey(taskId, number) })),
      { sync: true },
    );
  }

  async deleteTask(taskId: TaskId): Promise<void> {
    const pieceKeys = await this.#db.keys({ gte: `p/${taskId}/`, lt: `p/${taskId}0` }).all();
    await this.#db.batch(
      [taskKey(taskId), ...pieceKeys].map((key) => ({ type: 'del', key })),
      { sync: true },
    );
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

function taskKey(taskId: TaskId): string {
  return `t/${taskId}`;
}

function pieceKey(taskId: string, number: number): string {
  return `p/${taskId}/${String(number).padStart(10, '0')}`;
}

function encodeRecord(value: object): string {
  const json = JSON.stringify(value);
  return crc32(json).toString(16).padStart(8, '0') + json;
}

/** Undefined unless the sum at the front matches the rest. */
function decodeRecord(text: string): unknown {
  const json = text.slice(8);
  if (crc32(json).toString(16).padStart(8, '0') !== text.slice(0, 8)) return undefined;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function asTaskRecord(parsed: z.infer<typeof taskSchema>): TaskRecord {
  const { contentLength, fixedPieceLength, etag, lastModified, finishedAtMs, contentDigest, mark } = parsed;
  return { ...parsed, contentLength, fixedPieceLength, etag, lastModified, finishedAtMs, contentDigest, mark };
}
