import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemClock } from '../../../src/core/clock.js';
import { abortReason } from '../../../src/core/deadline.js';
import { DfpeerError } from '../../../src/core/errors.js';
import {
  type ByteRange,
  PieceLayout,
  type PieceSlice,
  type StoredPiece,
  formatPieceDigest,
} from '../../../src/core/piece.js';
import { blockCount, blockLengthOf } from '../../../src/core/piece-blocks.js';
import { type TaskId, parseTaskId } from '../../../src/core/task-id.js';
import { type Arrival, Arrivals } from '../../../src/peer/store/arrivals.js';
import { RememberedArrivals } from '../../../src/peer/store/remembered-arrivals.js';
import type { PieceSource, ServedTask } from '../../../src/upload/piece-source.js';

export interface FileTaskOptions {
  content: Buffer;
  /** A random one by default. */
  taskId?: string;
  pieceLength?: number;
  /** Piece numbers stored from the start; all by default. */
  stored?: readonly number[];
  downloading?: boolean;
  lengthKnown?: boolean;
  withDigest?: boolean;
}

/** Tasks in real files, with pieces that can arrive later: what a store is to the upload side. */
export class FilePieceSource implements PieceSource {
  readonly directory = mkdtempSync(join(tmpdir(), 'dfpeer-upload-'));
  readonly #tasks = new Map<string, FileTask>();

  add(options: FileTaskOptions): FileTask {
    const taskId = parseTaskId(options.taskId ?? randomBytes(32).toString('hex'));
    const task = new FileTask(taskId, join(this.directory, taskId), options);
    this.#tasks.set(taskId, task);
    return task;
  }

  /** A task of three pieces that is being downloaded: the first is stored, the second begins to arrive. */
  addArriving(pieceLength: number): { task: FileTask; arriving: ArrivingPiece } {
    const content = randomBytes(3 * pieceLength);
    const task = this.add({ content, pieceLength, stored: [0], downloading: true, withDigest: false });
    return { task, arriving: task.arrive(1) };
  }

  open(taskId: TaskId): ServedTask | undefined {
    return this.#tasks.get(taskId)?.pin();
  }

  /** Views that nobody has released. */
  get pins(): number {
    return [...this.#tasks.values()].reduce((sum, task) => sum + task.pins, 0);
  }

  dispose(): void {
    for (const task of this.#tasks.values()) task.close();
    rmSync(this.directory, { recursive: true });
  }
}

/** A piece on its way into its task's file, block by block. */
export class ArrivingPiece {
  readonly slice: PieceSlice;
  readonly blockLength: number;
  readonly #task: FileTask;
  readonly #arrival: Arrival;
  #blocks = 0;

  constructor(task: FileTask, arrival: Arrival) {
    this.#task = task;
    this.#arrival = arrival;
    this.slice = arrival.slice;
    this.blockLength = arrival.blockLength;
  }

  /** So many blocks more are in the file and verified. */
  bring(count = 1): void {
    for (let left = count; left > 0; left--) {
      const bytes = this.#task.bytesOf(this.slice);
      const start = this.#blocks * this.blockLength;
      this.#blocks++;
      const end = this.#blocks * this.blockLength;
      this.#task.write(bytes.subarray(start, end), this.slice.offset + start);
      this.#arrival.onBlock(crc32(bytes.subarray(0, end)));
    }
  }

  /** The rest of them, and the piece is stored. */
  finish(): void {
    this.bring(blockCount(this.slice.length, this.blockLength) - this.#blocks);
    this.#task.store(this.slice.number);
    this.#task.arrivals.end(this.#arrival);
  }

  /** It comes no further. */
  giveUp(): void {
    this.#task.arrivals.end(this.#arrival);
  }
}

export class FileTask {
  readonly taskId: TaskId;
  readonly content: Buffer;
  readonly layout: PieceLayout;
  readonly arrivals: Arrivals;
  pins = 0;
  downloading: boolean;
  lengthKnown: boolean;
  readonly #path: string;
  readonly #fd: number;
  readonly #contentDigest: string | undefined;
  readonly #stored = new Set<number>();
  readonly #digests = new Map<number, string>();
  readonly #waiters = new Set<() => void>();
  #failure: Error | undefined;

  constructor(taskId: TaskId, path: string, options: FileTaskOptions) {
    const { content, pieceLength = 256 * 1024, downloading = false, lengthKnown = true, withDigest = true } = options;
    this.taskId = taskId;
    this.content = content;
    this.layout = new PieceLayout(content.length, pieceLength);
    this.arrivals = new Arrivals(blockLengthOf(pieceLength), { memory: new RememberedArrivals(), clock: systemClock });
    this.downloading = downloading;
    this.lengthKnown = lengthKnown;
    this.#path = path;
    writeFileSync(path, content);
    this.#fd = openSync(path, 'r+');
    this.#contentDigest = withDigest ? `sha256:${createHash('sha256').update(content).digest('hex')}` : undefined;
    for (const number of options.stored ?? this.layout.all().map((slice) => slice.number)) this.#stored.add(number);
  }

  /** A piece arrives, as from a download. */
  store(number: number): void {
    this.#stored.add(number);
    this.#wake();
  }

  /** A piece that is not stored begins to arrive; until its blocks do, other bytes are in their place. */
  arrive(number: number): ArrivingPiece {
    const slice = this.layout.slice(number);
    this.write(Buffer.alloc(slice.length, 0xee), slice.offset);
    return new ArrivingPiece(this, this.arrivals.begin(slice, { isFromOrigin: false }));
  }

  write(bytes: Buffer, offset: number): void {
    writeSync(this.#fd, bytes, 0, bytes.length, offset);
  }

  fail(message: string): void {
    this.#failure = new DfpeerError('DFP_TASK_FAILED', message);
    this.#wake();
  }

  truncate(length: number): void {
    truncateSync(this.#path, length);
  }

  close(): void {
    closeSync(this.#fd);
  }

  bytesOf(range: ByteRange): Buffer {
    return this.content.subarray(range.offset, range.offset + range.length);
  }

  pin(): ServedTask {
    this.pins++;
    let released = false;
    const has = (range: ByteRange): boolean =>
      range.offset + range.length <= this.content.length &&
      this.layout.covering(range).every((slice) => this.#stored.has(slice.number));
    const view = {
      taskId: this.taskId,
      labels: { type: 0, tag: 'a tag', application: 'an app' },
      file: { fd: this.#fd, path: this.#path },
      pieceLength: this.layout.pieceLength,
      contentDigest: this.#contentDigest,
      piece: (number: number) => (this.#stored.has(number) ? this.#record(number) : undefined),
      blocks: (number: number) => this.arrivals.blocks(number),
      slice: (number: number) => this.#slice(number),
      has,
      whenAvailable: (range: ByteRange, signal: AbortSignal) => this.#whenAvailable(() => has(range), signal),
      release: () => {
        if (released) throw new Error('a pin was released twice');
        released = true;
        this.pins--;
      },
    };
    return Object.defineProperties(view as unknown as ServedTask, {
      contentLength: { get: () => (this.lengthKnown ? this.content.length : undefined) },
      complete: { get: () => this.#stored.size === this.layout.count },
      downloading: { get: () => this.downloading },
    });
  }

  /** As in a store, a piece is taken for a full one while nobody knows the length. */
  #slice(number: number): PieceSlice | undefined {
    const { pieceLength } = this.layout;
    if (!this.lengthKnown && !this.#stored.has(number))
      return { number, offset: number * pieceLength, length: pieceLength };
    return this.layout.has(number) ? this.layout.slice(number) : undefined;
  }

  #record(number: number): StoredPiece {
    const slice = this.layout.slice(number);
    const digest = this.#digests.get(number) ?? formatPieceDigest(crc32(this.bytesOf(slice)));
    this.#digests.set(number, digest);
    return { ...slice, digest, parentId: 'a-parent', trafficType: 1, costMs: 2500, createdAtMs: 1_700_000_000_000 };
  }

  async #whenAvailable(ready: () => boolean, signal: AbortSignal): Promise<void> {
    while (!ready()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#stored.size === this.layout.count) throw new DfpeerError('DFP_PIECE_NOT_FOUND', 'no such bytes');
      await new Promise<void>((resolve, reject) => {
        this.#waiters.add(resolve);
        signal.addEventListener('abort', () => reject(abortReason(signal, 'waiting for a piece')), { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}
