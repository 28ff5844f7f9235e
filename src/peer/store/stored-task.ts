import type { Clock } from '../../core/clock.js';
import { DfpeerError } from '../../core/errors.js';
import { abortReason } from '../../core/deadline.js';
import { blockLengthOf } from '../../core/piece-blocks.js';
import { PieceLayout, type ByteRange, type PieceSlice, type StoredPiece } from '../../core/piece.js';
import type { TaskId } from '../../core/task-id.js';
import { Arrivals } from './arrivals.js';
import { contentVersionOf } from './content-version.js';
import { mapDiskError } from '../disk-error.js';
import type { MetadataStore, StoredPieceRecord, TaskRecord } from './metadata.js';
import { KeptRecord } from './kept-record.js';
import type { FileMark, TaskFiles } from './task-files.js';
import type { RememberedArrivals } from './remembered-arrivals.js';
import { UntouchedFile } from './untouched-file.js';

/** What others may want to hear of a task. All callbacks run synchronously, after the change is visible. */
export interface TaskListener {
  onPiece?(piece: StoredPiece): void;
  onComplete?(): void;
  /** The download ended without completing the task, or the task was removed. */
  onStopped?(error: DfpeerError): void;
}

/** Listeners of one task: subscribers of SyncPieces, waiting uploads, clients. */
export const MAX_LISTENERS = 4096;

/**
 * One task on this node: its record, its verified pieces, who waits for more. A piece shows here only after its digest was checked
 * and its record written; everything that serves bytes asks here first.
 */
export class StoredTask {
  readonly taskId: TaskId;
  readonly arrivals: Arrivals;
  readonly #files: TaskFiles;
  readonly #metadata: MetadataStore;
  readonly #now: () => number;
  readonly #pieces = new Map<number, StoredPiece>();
  readonly #listeners = new Set<TaskListener>();
  readonly #record: KeptRecord;
  readonly #file: UntouchedFile;
  #layout: PieceLayout | undefined;
  #contentVersion: string | undefined;
  #storedBytes = 0;
  #pins = 0;
  #uploadedCount = 0;
  #complete: boolean;
  #downloading = false;
  #removed = false;

  constructor(
    record: TaskRecord,
    dependencies: { files: TaskFiles; metadata: MetadataStore; arrivals: RememberedArrivals; clock: Clock },
  ) {
    const { clock } = dependencies;
    const now = (): number => clock.now();
    this.taskId = record.taskId;
    this.arrivals = new Arrivals(blockLengthOf(record.pieceLength), { memory: dependencies.arrivals, clock });
    this.#record = new KeptRecord(record, { metadata: dependencies.metadata, now });
    this.#file = new UntouchedFile(() => this.#look(), record.mark);
    this.#files = dependencies.files;
    this.#metadata = dependencies.metadata;
    this.#now = now;
    this.#complete = record.finishedAtMs !== undefined;
    this.#layout =
      record.contentLength === undefined ? undefined : new PieceLayout(record.contentLength, record.pieceLength);
  }

  get record(): Readonly<TaskRecord> {
    return this.#record.current;
  }

  /** Of the origin's content that is stored here. */
  get contentVersion(): string | undefined {
    return (this.#contentVersion ??= contentVersionOf(this.record));
  }

  get path(): string {
    return this.#files.path(this.taskId);
  }

  /** Undefined while the length is unknown. */
  get layout(): PieceLayout | undefined {
    return this.#layout;
  }

  /** All pieces are here and verified. That it is also on disk for good follows: see finish(). */
  get complete(): boolean {
    return this.#complete;
  }

  get downloading(): boolean {
    return this.#downloading;
  }

  get removed(): boolean {
    return this.#removed;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  get pieceCount(): number {
    return this.#pieces.size;
  }

  /** In use: being downloaded, uploaded, or made into an output file. Never collected then. */
  get pinned(): boolean {
    return this.#pins > 0 || this.#downloading;
  }

  /** Uploads and other readers that hold it. */
  get pinCount(): number {
    return this.#pins;
  }

  /** Ranges that were sent to the end, since this process started. */
  get uploadedCount(): number {
    return this.#uploadedCount;
  }

  countUpload(): void {
    this.#uploadedCount++;
  }

  get lastUsedMs(): number {
    return this.#record.lastUsedMs;
  }

  /** Resolves when the record is not being written; once the task is removed, it never is again. */
  get written(): Promise<void> {
    return this.#record.written;
  }

  pin(): () => void {
    this.#pins++;
    this.#record.use();
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      this.#pins--;
      this.#record.use();
    };
  }

  piece(number: number): StoredPiece | undefined {
    return this.#pieces.get(number);
  }

  /** Verified pieces in no particular order. */
  pieces(): IterableIterator<StoredPiece> {
    return this.#pieces.values();
  }

  /** Where piece `number` lies; with an unknown length every piece is taken for a full one. */
  slice(number: number): PieceSlice | undefined {
    if (this.#layout !== undefined) return this.#layout.has(number) ? this.#layout.slice(number) : undefined;
    const { pieceLength } = this.record;
    return { number, offset: number * pieceLength, length: this.#pieces.get(number)?.length ?? pieceLength };
  }

  has(range: ByteRange): boolean {
    const { pieceLength } = this.record;
    const end = range.offset + range.length;
    if (this.#layout !== undefined && end > this.#layout.contentLength) return false;
    for (let number = Math.floor(range.offset / pieceLength); number * pieceLength < end; number++) {
      const piece = this.#pieces.get(number);
      if (piece === undefined || piece.offset + piece.length < Math.min(end, (number + 1) * pieceLength)) return false;
    }
    return true;
  }

  /** At most {@link MAX_LISTENERS}; beyond it DFP_LIMIT. */
  subscribe(listener: TaskListener): () => void {
    if (this.#listeners.size >= MAX_LISTENERS)
      throw new DfpeerError('DFP_LIMIT', `task ${this.taskId} has ${MAX_LISTENERS} listeners already; try again later`);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async whenAvailable(range: ByteRange, signal: AbortSignal): Promise<void> {
    if (this.has(range)) return;
    if (!this.#downloading)
      throw new DfpeerError(
        'DFP_PIECE_NOT_FOUND',
        `bytes ${range.offset}-${range.offset + range.length - 1} of task ${this.taskId} are not stored here, and it is not being downloaded`,
      );
    if (signal.aborted) throw abortReason(signal, `the wait for task ${this.taskId}`);
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => {
        unsubscribe();
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onAbort = (): void => settle(abortReason(signal, `the wait for task ${this.taskId}`));
      const unsubscribe = this.subscribe({
        onPiece: () => {
          if (this.has(range)) settle();
        },
        onComplete: () =>
          settle(
            this.has(range)
              ? undefined
              : new DfpeerError(
                  'DFP_PIECE_NOT_FOUND',
                  `task ${this.taskId} has no bytes ${range.offset}-${range.offset + range.length - 1}`,
                ),
          ),
        onStopped: (error) => settle(error),
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** As they are in the metadata. */
  pieceRecords(): StoredPieceRecord[] {
    return [...this.#pieces.values()].map((piece) => this.#recordOf(piece));
  }

  /** Puts back what an earlier process stored; only for the store, before anybody else sees the task. */
  restore(pieces: Iterable<StoredPieceRecord>): void {
    for (const { number, digest, parentId, trafficType, costMs, createdAtMs } of pieces) {
      const slice = this.slice(number);
      if (slice === undefined || this.#pieces.has(number)) continue;
      const { offset, length } = slice;
      this.#add({ number, offset, length, digest, parentId, trafficType, costMs, createdAtMs });
    }
  }

  /** From now on bytes may change: what is on disk is no longer known good as a whole. */
  async beginDownload(): Promise<void> {
    this.#downloading = true;
    if (this.record.mark !== undefined && !this.complete)
      await this.#record.update({ mark: undefined }, { sync: true });
  }

  /** The download is over; who waits for more hears of it, unless the task is complete. */
  endDownload(error?: DfpeerError): void {
    this.#downloading = false;
    if (this.complete) return;
    const reason = error ?? new DfpeerError('DFP_ABORTED', `the download of task ${this.taskId} ended`);
    for (const listener of [...this.#listeners]) listener.onStopped?.(reason);
  }

  /** Records a piece whose bytes are in the file and whose digest was checked. */
  async addPiece(piece: StoredPiece): Promise<void> {
    this.#assertPresent();
    if (this.#pieces.has(piece.number)) return;
    const { number } = piece;
    await mapDiskError(`record piece ${number} of task ${this.taskId}`, async () => {
      await this.#metadata.putPiece(this.taskId, this.#recordOf(piece));
      // Removed meanwhile: the record may have come after the removal, and the next task of this id must not find it.
      if (this.#removed) await this.#metadata.deletePieces(this.taskId, [number]);
    });
    this.#assertPresent();
    // Recorded by another attempt meanwhile.
    if (this.#pieces.has(number)) return;
    this.#add(piece);
    for (const listener of [...this.#listeners]) listener.onPiece?.(piece);
  }

  /** `crc32:<decimal>` of what lies in the file now. */
  async digestOnDisk(range: ByteRange): Promise<string> {
    return this.#files.digest(this.taskId, range);
  }

  async setContentLength(contentLength: number): Promise<void> {
    this.#layout = new PieceLayout(contentLength, this.record.pieceLength);
    await this.#files.setLength(this.taskId, contentLength);
    await this.#record.update({ contentLength }, { sync: false });
  }

  /** All pieces are here: complete at once for whoever asks, and after a restart once this resolves (data synced, then the record). */
  async finish(): Promise<void> {
    this.#assertPresent();
    if (this.#layout === undefined || this.#pieces.size !== this.#layout.count)
      throw new DfpeerError(
        'DFP_INTERNAL',
        `task ${this.taskId} has ${this.#pieces.size} of ${this.#layout?.count ?? 'unknown'} pieces and can't be complete`,
      );
    if (this.#complete) return;
    this.#complete = true;
    // Looked at before anybody hears of it: from then on an output may be a link to the file.
    const accepting = this.#file.accept();
    accepting.catch(() => undefined);
    for (const listener of [...this.#listeners]) listener.onComplete?.();
    const mark = await accepting;
    await this.#files.sync(this.taskId);
    await this.#record.update({ finishedAtMs: this.#now(), mark }, { sync: true });
  }

  /** After all pieces of a file that looked different were checked and found good. */
  async acceptAsIs(): Promise<void> {
    await this.#record.update({ mark: await this.#file.accept() }, { sync: false });
  }

  /** Whether the file is still what was verified; of a partial task, whose file has no other name, whether it is there and has its length. */
  async isUntouched(): Promise<boolean> {
    if (this.#complete) return this.#file.isUntouched();
    const { contentLength } = this.record;
    const found = await this.#look();
    return found !== undefined && (contentLength === undefined || contentLength === found.size);
  }

  /** Whether a complete task's file, which looks like that, is still what was verified. */
  isUntouchedBy(found: FileMark): boolean {
    return !this.#complete || this.#file.isUntouchedBy(found);
  }

  /**
   * Asked after the file was read or linked by its name, which may be the file of a task begun anew when this one was removed.
   * @throws DfpeerError DFP_STORE_DAMAGED, DFP_TASK_NOT_FOUND
   */
  async assertUntouched(): Promise<void> {
    const isUntouched = await this.isUntouched();
    this.#assertPresent();
    if (!isUntouched)
      throw new DfpeerError(
        'DFP_STORE_DAMAGED',
        `the stored file of task ${this.taskId} was changed from outside; ask again, and it is fetched anew`,
      );
  }

  /** An output is a hard link to the file, so that its bytes stay on the disk without us. */
  isShared(): Promise<boolean> {
    return this.#files.isShared(this.taskId);
  }

  /** At a clean stop: when it was used, and of a partial task what was synced, so that the next start need not read it all again. */
  async seal(): Promise<void> {
    if (this.#removed) return;
    if (this.complete || this.#pieces.size === 0) await this.#record.noteUse();
    else {
      await this.#files.sync(this.taskId);
      await this.#record.update({ mark: await this.#files.mark(this.taskId) }, { sync: true });
    }
    // Uses that were noted just before.
    await this.written;
  }

  async setContentDigest(contentDigest: string): Promise<void> {
    await this.#record.update({ contentDigest }, { sync: false });
  }

  /** Only for the store: the task is gone, whoever waits hears of it. */
  markRemoved(): void {
    this.#removed = true;
    this.#record.drop();
    this.#pieces.clear();
    this.arrivals.clear();
    const reason = this.#removal();
    for (const listener of [...this.#listeners]) listener.onStopped?.(reason);
  }

  #recordOf({ number, digest, parentId, trafficType, costMs, createdAtMs }: StoredPiece): StoredPieceRecord {
    const { createdAtMs: taskCreatedAtMs } = this.record;
    return { number, digest, parentId, trafficType, costMs, createdAtMs, taskCreatedAtMs };
  }

  async #look(): Promise<FileMark | undefined> {
    return mapDiskError(`look at the data file of task ${this.taskId}`, () => this.#files.mark(this.taskId));
  }

  #add(piece: StoredPiece): void {
    this.#pieces.set(piece.number, piece);
    this.#storedBytes += piece.length;
  }

  #assertPresent(): void {
    if (this.#removed) throw this.#removal();
  }

  #removal(): DfpeerError {
    return new DfpeerError(
      'DFP_TASK_NOT_FOUND',
      `task ${this.taskId} was removed from this host; ask again, and it is fetched anew`,
    );
  }
}
