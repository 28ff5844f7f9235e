import type { StoredPiece } from '../../core/piece.js';
import type { TaskId } from '../../core/task-id.js';

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
  /** Not older than an hour before the last use, unless the process was killed; undefined in the records of earlier versions. */
  lastUsedMs: number | undefined;
  /** When the last piece was stored and synced; undefined while partial. */
  finishedAtMs: number | undefined;
  /** `sha256:<hex>` of the whole content, when it was computed. */
  contentDigest: string | undefined;
  /** The data file as it was when all recorded pieces were known good; undefined after a crash. */
  mark: { size: number; mtimeMs: number; inode: number } | undefined;
}

export interface LoadedTask {
  record: TaskRecord;
  pieces: readonly StoredPieceRecord[];
}

/** A piece without what the layout says of it. */
export interface StoredPieceRecord extends Omit<StoredPiece, 'offset' | 'length'> {
  /** The task record that the piece belongs to, by its createdAtMs: a record that outlived its task says nothing of the next one. */
  taskCreatedAtMs: number;
}

export interface LoadedMetadata {
  tasks: LoadedTask[];
  /** Tasks of which some record was damaged, or belonged to nothing. */
  damaged: TaskId[];
  /** The records were salvaged: old ones may have come back, so that marks prove nothing. */
  isSalvaged: boolean;
}

/** Durable small records; batches are atomic. The simulator has its own. */
export interface MetadataStore {
  /** Everything that is intact; once, at the start. */
  load(): Promise<LoadedMetadata>;
  putTask(record: TaskRecord, options: { sync: boolean }): Promise<void>;
  putPiece(taskId: TaskId, piece: StoredPieceRecord): Promise<void>;
  deletePieces(taskId: TaskId, numbers: readonly number[]): Promise<void>;
  deleteTask(taskId: TaskId): Promise<void>;
  close(): Promise<void>;
}
