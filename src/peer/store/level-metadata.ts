import type { ClassicLevel } from 'classic-level';
import { DfpeerError } from '../../core/errors.js';
import type { TaskId } from '../../core/task-id.js';
import { LevelDatabase } from './level-database.js';
import type { LoadedMetadata, LoadedTask, MetadataStore, StoredPieceRecord, TaskRecord } from './metadata.js';
import { decodePiece, decodeTask, encodeRecord, pieceKey, pieceKeysOf, taskKey, taskOfKey } from './record-codec.js';

/** Records read in one step: the event loop gets a turn between two. */
const READ_BATCH = 1000;
const READ_AHEAD_BYTES = 1024 * 1024;

/** LevelDB: its lock file refuses a second process, its batches are atomic. Each value carries its own CRC-32. */
export class LevelMetadataStore implements MetadataStore {
  readonly #database: LevelDatabase;
  #loaded: LoadedMetadata | undefined;

  private constructor(database: LevelDatabase, loaded: LoadedMetadata) {
    this.#database = database;
    this.#loaded = loaded;
  }

  /**
   * Reads everything, since damage in the middle of a table shows only then.
   * @throws DfpeerError DFP_STORE_LOCKED when another process has it, DFP_STORE_DAMAGED when its files don't fit together,
   * DFP_STORE_FULL or DFP_STORE_IO when the disk is the trouble.
   */
  static async open(directory: string, { isSalvaged = false } = {}): Promise<LevelMetadataStore> {
    const { database, result } = await LevelDatabase.open(directory, readAll);
    return new LevelMetadataStore(database, { ...result, isSalvaged });
  }

  async load(): Promise<LoadedMetadata> {
    const loaded = this.#loaded;
    if (loaded === undefined) throw new DfpeerError('DFP_INTERNAL', 'the metadata is loaded once, at the start');
    this.#loaded = undefined;
    return loaded;
  }

  async putTask(record: TaskRecord, options: { sync: boolean }): Promise<void> {
    const [key, value] = [taskKey(record.taskId), encodeRecord(record)];
    await this.#database.write((db) => db.batch([{ type: 'put', key, value }], options));
  }

  async putPiece(taskId: TaskId, piece: StoredPieceRecord): Promise<void> {
    const [key, value] = [pieceKey(taskId, piece.number), encodeRecord(piece)];
    await this.#database.write((db) => db.put(key, value));
  }

  async deletePieces(taskId: TaskId, numbers: readonly number[]): Promise<void> {
    const keys = numbers.map((number) => pieceKey(taskId, number));
    await this.#database.write((db) => deleteAll(db, keys));
  }

  async deleteTask(taskId: TaskId): Promise<void> {
    await this.#database.write(async (db) =>
      deleteAll(db, [taskKey(taskId), ...(await db.keys(pieceKeysOf(taskId)).all())]),
    );
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

async function deleteAll(db: ClassicLevel, keys: readonly string[]): Promise<void> {
  await db.batch(
    keys.map((key) => ({ type: 'del', key })),
    { sync: true },
  );
}

async function readAll(db: ClassicLevel): Promise<Omit<LoadedMetadata, 'isSalvaged'>> {
  const sorter = new RecordSorter();
  const iterator = db.iterator({ highWaterMarkBytes: READ_AHEAD_BYTES });
  try {
    for (;;) {
      const entries = await iterator.nextv(READ_BATCH);
      if (entries.length === 0) break;
      for (const [key, text] of entries) sorter.add(key, text);
    }
  } finally {
    await iterator.close();
  }
  const { tasks, damaged, useless } = sorter.finish();
  if (useless.length > 0) await deleteAll(db, useless);
  return { tasks, damaged };
}

/** Brings pieces together with their tasks; what fits nowhere is useless. Keys come in order: all pieces, then all tasks. */
class RecordSorter {
  readonly #pieces = new Map<TaskId, StoredPieceRecord[]>();
  readonly #tasks: LoadedTask[] = [];
  readonly #damaged = new Set<TaskId>();
  readonly #useless: string[] = [];

  add(key: string, text: string): void {
    const taskId = taskOfKey(key);
    if (taskId === undefined) return void this.#useless.push(key);
    if (key.startsWith('p/')) {
      const piece = decodePiece(key, taskId, text);
      if (piece === undefined) this.#drop(taskId, key);
      else this.#piecesOf(taskId).push(piece);
    } else {
      const record = decodeTask(key, text);
      if (record === undefined) this.#drop(taskId, key);
      else this.#tasks.push(this.#assemble(record));
    }
  }

  finish(): { tasks: LoadedTask[]; damaged: TaskId[]; useless: string[] } {
    for (const [taskId, pieces] of this.#pieces) this.#dropPieces(taskId, pieces);
    return { tasks: this.#tasks, damaged: [...this.#damaged], useless: this.#useless };
  }

  #assemble(record: TaskRecord): LoadedTask {
    const { taskId, createdAtMs } = record;
    const pieces = this.#pieces.get(taskId) ?? [];
    this.#pieces.delete(taskId);
    const strays = pieces.filter((piece) => piece.taskCreatedAtMs !== createdAtMs);
    if (strays.length > 0) this.#dropPieces(taskId, strays);
    const own = strays.length === 0 ? pieces : pieces.filter((piece) => piece.taskCreatedAtMs === createdAtMs);
    return { record, pieces: own };
  }

  #piecesOf(taskId: TaskId): StoredPieceRecord[] {
    const known = this.#pieces.get(taskId);
    if (known !== undefined) return known;
    const pieces: StoredPieceRecord[] = [];
    this.#pieces.set(taskId, pieces);
    return pieces;
  }

  #dropPieces(taskId: TaskId, pieces: readonly StoredPieceRecord[]): void {
    for (const { number } of pieces) this.#drop(taskId, pieceKey(taskId, number));
  }

  #drop(taskId: TaskId, key: string): void {
    this.#damaged.add(taskId);
    this.#useless.push(key);
  }
}
