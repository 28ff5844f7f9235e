import { mapDiskError } from '../disk-error.js';
import type { MetadataStore, TaskRecord } from './metadata.js';

/** Uses within this time are not noted one by one: days matter to the collector. */
const NOTE_USE_INTERVAL_MS = 3_600_000;
/** Whatever is said to be earlier was noted by a clock that nobody had set. */
const EARLIEST_TIME_MS = Date.UTC(2020, 0);

/** The record of one task, in memory and in the metadata: one write after another, as an older state must not come last. */
export class KeptRecord {
  readonly #metadata: MetadataStore;
  readonly #now: () => number;
  #record: TaskRecord;
  #lastUsedMs: number;
  #written = Promise.resolve();
  #isDropped = false;

  constructor(record: TaskRecord, { metadata, now }: { metadata: MetadataStore; now: () => number }) {
    this.#record = record;
    this.#metadata = metadata;
    this.#now = now;
    const lastUsedMs = this.#notedUseMs;
    // Else what was used an hour ago, when the clock said 1970, would seem unused for decades.
    this.#lastUsedMs = lastUsedMs < EARLIEST_TIME_MS ? now() : lastUsedMs;
  }

  get current(): Readonly<TaskRecord> {
    return this.#record;
  }

  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** Resolves when nothing is being written. */
  get written(): Promise<void> {
    return this.#written;
  }

  /** From now on nothing is written any more. */
  drop(): void {
    this.#isDropped = true;
  }

  /** Visible at once. @throws DfpeerError DFP_STORE_IO, DFP_STORE_FULL when it can't be written */
  async update(change: Partial<TaskRecord>, options: { sync: boolean }): Promise<void> {
    await this.#put({ ...this.#record, ...change, updatedAtMs: this.#now(), lastUsedMs: this.#lastUsedMs }, options);
  }

  use(): void {
    this.#lastUsedMs = this.#now();
    if (this.#isDropped || this.#lastUsedMs - this.#notedUseMs < NOTE_USE_INTERVAL_MS) return;
    // Lost at worst: the task then seems unused for longer, and the next use notes it.
    this.noteUse().catch(() => undefined);
  }

  async noteUse(): Promise<void> {
    if (this.#lastUsedMs === this.#notedUseMs) return;
    await this.#put({ ...this.#record, lastUsedMs: this.#lastUsedMs }, { sync: false });
  }

  get #notedUseMs(): number {
    return this.#record.lastUsedMs ?? this.#record.updatedAtMs;
  }

  async #put(record: TaskRecord, options: { sync: boolean }): Promise<void> {
    this.#record = record;
    const writing = this.#written.then(() => this.#write(record, options));
    this.#written = writing.catch(() => undefined);
    await writing;
  }

  async #write(record: TaskRecord, options: { sync: boolean }): Promise<void> {
    if (this.#isDropped) return;
    await mapDiskError(`write the record of task ${record.taskId}`, () => this.#metadata.putTask(record, options));
  }
}
