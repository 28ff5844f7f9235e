import { crc32 } from 'node:zlib';
import { sleep } from '../../src/core/deadline.js';
import { DfpeerError } from '../../src/core/errors.js';
import { formatPieceDigest, type ByteRange } from '../../src/core/piece.js';
import type { TaskId } from '../../src/core/task-id.js';
import type { FileMark, OpenTaskFile, TaskFiles } from '../../src/peer/store/task-files.js';
import type { DiskPlan } from './plan.js';
import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

/** One inode. Whoever has it open keeps it, whatever becomes of its name. */
export class MemoryFile {
  readonly inode: number;
  #bytes = Buffer.alloc(0);
  mtimeMs = 0;
  isSynced = false;
  /** What writes since the last sync have replaced, oldest first. */
  #unsynced: { offset: number; before: Buffer }[] = [];

  constructor(inode: number) {
    this.inode = inode;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read({ offset, length }: ByteRange): Buffer {
    return this.#bytes.subarray(offset, offset + length);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.size) this.truncate(offset + bytes.length);
    this.#unsynced.push({ offset, before: Buffer.from(this.read({ offset, length: bytes.length })) });
    this.#bytes.set(bytes, offset);
  }

  truncate(length: number): void {
    const bytes = Buffer.alloc(length);
    this.#bytes.copy(bytes);
    this.#bytes = bytes;
  }

  sync(): void {
    this.#unsynced = [];
    this.isSynced = true;
  }

  /** Any of the writes since the last sync may be lost, in any order. */
  losePower(random: Random): void {
    for (const { offset, before } of this.#unsynced.reverse()) if (random.chance(0.5)) this.#bytes.set(before, offset);
    this.#unsynced = [];
  }
}

/** The disk under a store: it outlives the process. */
export class MemoryDisk {
  readonly files = new Map<TaskId, MemoryFile>();
  plan: DiskPlan;
  readonly #random: Random;
  #inodes = 0;
  #mtimes = 0;
  #written = 0;

  constructor(plan: DiskPlan, random: Random) {
    this.plan = plan;
    this.#random = random;
  }

  create(taskId: TaskId): void {
    const file = new MemoryFile(++this.#inodes);
    file.mtimeMs = ++this.#mtimes;
    this.files.set(taskId, file);
  }

  /** @throws DfpeerError DFP_STORE_FULL, DFP_STORE_IO */
  write(file: MemoryFile, offset: number, bytes: Uint8Array): void {
    this.#written += bytes.length;
    if (this.#written > this.plan.fullAfterBytes) throw new DfpeerError('DFP_STORE_FULL', 'no space left on the disk');
    this.failByChance('write');
    file.write(offset, bytes);
    file.mtimeMs = ++this.#mtimes;
  }

  touch(file: MemoryFile): void {
    file.mtimeMs = ++this.#mtimes;
  }

  failByChance(doing: string): void {
    if (this.#random.chance(this.plan.errorRate))
      throw Object.assign(new Error(`EIO: i/o error, ${doing}`), { code: 'EIO' });
  }

  latencyMs(maxMs: number): number {
    return this.#random.next() * maxMs;
  }

  losePower(): void {
    for (const [taskId, file] of this.files) {
      file.losePower(this.#random);
      this.touch(file);
      if (!file.isSynced && this.#random.chance(0.2)) this.files.delete(taskId);
    }
  }
}

/** The store's files on a {@link MemoryDisk}, as one process sees them. */
export class MemoryTaskFiles implements TaskFiles {
  readonly #disk: MemoryDisk;
  readonly #clock: VirtualClock;

  constructor(disk: MemoryDisk, clock: VirtualClock) {
    this.#disk = disk;
    this.#clock = clock;
  }

  path(taskId: TaskId): string {
    return taskId;
  }

  async create(taskId: TaskId): Promise<void> {
    await this.#operate('create', 2, () => this.#disk.create(taskId));
  }

  async setLength(taskId: TaskId, length: number): Promise<void> {
    await this.#operate('truncate', 2, () => {
      const file = this.#existing(taskId);
      file.truncate(length);
      this.#disk.touch(file);
    });
  }

  async mark(taskId: TaskId): Promise<FileMark | undefined> {
    await sleep(this.#disk.latencyMs(1), undefined, this.#clock);
    const file = this.#disk.files.get(taskId);
    return file === undefined ? undefined : { size: file.size, mtimeMs: file.mtimeMs, inode: file.inode };
  }

  async sync(taskId: TaskId): Promise<void> {
    // What is written while the sync runs may or may not be in it: here it is not.
    await this.#operate('sync', this.#disk.plan.syncMs, () => this.#existing(taskId).sync());
  }

  async digest(taskId: TaskId, range: ByteRange): Promise<string> {
    return this.#operate('read', 2, () => formatPieceDigest(crc32(this.#existing(taskId).read(range))));
  }

  openForReading(taskId: TaskId): OpenTaskFile {
    this.#existing(taskId);
    return { fd: -1, path: taskId, close: () => undefined };
  }

  async remove(taskId: TaskId): Promise<void> {
    await this.#operate('unlink', 2, () => this.#disk.files.delete(taskId));
  }

  async quarantine(taskId: TaskId): Promise<void> {
    await this.#operate('rename', 0, () => this.#disk.files.delete(taskId), false);
  }

  async list(): Promise<TaskId[]> {
    return [...this.#disk.files.keys()];
  }

  async #operate<T>(doing: string, maxMs: number, work: () => T, mayFail = true): Promise<T> {
    await sleep(this.#disk.latencyMs(maxMs), undefined, this.#clock);
    try {
      if (mayFail) this.#disk.failByChance(doing);
      return work();
    } catch (cause) {
      throw new DfpeerError('DFP_STORE_IO', `could not ${doing} a data file: ${String(cause)}`, { cause });
    }
  }

  #existing(taskId: TaskId): MemoryFile {
    const file = this.#disk.files.get(taskId);
    if (file === undefined) throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
    return file;
  }
}
