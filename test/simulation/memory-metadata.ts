import type { TaskId } from '../../src/core/task-id.js';
import type { LoadedMetadata, MetadataStore, StoredPieceRecord, TaskRecord } from '../../src/peer/store/metadata.js';
import type { MemoryDisk } from './memory-disk.js';
import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

type Change = (records: Records) => void;

interface Records {
  tasks: Map<TaskId, TaskRecord>;
  pieces: Map<TaskId, Map<number, StoredPieceRecord>>;
}

/** What LevelDB keeps on the disk: batches in one journal, of which everything up to the last synced one is safe. */
export class MemoryJournal {
  readonly records: Records = { tasks: new Map(), pieces: new Map() };
  #durable: Records = { tasks: new Map(), pieces: new Map() };
  #unsynced: Change[] = [];

  write(change: Change, sync: boolean): void {
    change(this.records);
    this.#unsynced.push(change);
    if (!sync) return;
    this.#durable = clone(this.records);
    this.#unsynced = [];
  }

  /** The end of the journal is lost from some point on. */
  losePower(random: Random): void {
    const kept = this.#unsynced.slice(0, random.between(0, this.#unsynced.length));
    for (const change of kept) change(this.#durable);
    const { tasks, pieces } = clone(this.#durable);
    this.records.tasks = tasks;
    this.records.pieces = pieces;
    this.#unsynced = [];
  }
}

/** Operations that run at the same time take effect in any order. */
export class MemoryMetadataStore implements MetadataStore {
  readonly #journal: MemoryJournal;
  readonly #disk: MemoryDisk;
  readonly #clock: VirtualClock;

  constructor(journal: MemoryJournal, disk: MemoryDisk, clock: VirtualClock) {
    this.#journal = journal;
    this.#disk = disk;
    this.#clock = clock;
  }

  async load(): Promise<LoadedMetadata> {
    const { tasks, pieces } = clone(this.#journal.records);
    for (const taskId of pieces.keys()) if (!tasks.has(taskId)) this.#journal.records.pieces.delete(taskId);
    const loaded = [...tasks].map(([taskId, record]) => ({
      record,
      pieces: [...(pieces.get(taskId)?.values() ?? [])],
    }));
    return { tasks: loaded, damaged: [...pieces.keys()].filter((taskId) => !tasks.has(taskId)), isSalvaged: false };
  }

  async putTask(record: TaskRecord, { sync }: { sync: boolean }): Promise<void> {
    const kept = structuredClone(record);
    await this.#write(({ tasks }) => tasks.set(kept.taskId, kept), sync);
  }

  async putPiece(taskId: TaskId, piece: StoredPieceRecord): Promise<void> {
    await this.#write(({ pieces }) => {
      const ofTask = pieces.get(taskId) ?? new Map<number, StoredPieceRecord>();
      pieces.set(taskId, ofTask.set(piece.number, piece));
    }, false);
  }

  async deletePieces(taskId: TaskId, numbers: readonly number[]): Promise<void> {
    await this.#write(({ pieces }) => numbers.forEach((number) => pieces.get(taskId)?.delete(number)), true);
  }

  async deleteTask(taskId: TaskId): Promise<void> {
    await this.#write(({ tasks, pieces }) => {
      tasks.delete(taskId);
      pieces.delete(taskId);
    }, true);
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  async #write(change: Change, sync: boolean): Promise<void> {
    await this.#disk.spend(sync ? this.#disk.plan.syncMs : 2, this.#clock);
    this.#disk.failByChance('write the metadata');
    this.#journal.write(change, sync);
  }
}

function clone({ tasks, pieces }: Records): Records {
  return {
    tasks: new Map(tasks),
    pieces: new Map([...pieces].map(([taskId, ofTask]) => [taskId, new Map(ofTask)])),
  };
}
