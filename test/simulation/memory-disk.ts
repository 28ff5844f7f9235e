import { crc32 } from 'node:zlib';
import { DfpeerError } from '../../src/core/errors.js';
import { formatPieceDigest, type ByteRange } from '../../src/core/piece.js';
import type { TaskId } from '../../src/core/task-id.js';
import type { FileMark, OpenTaskFile, TaskFiles } from '../../src/peer/store/task-files.js';
import type { Exercised } from './exercised.js';
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
  readonly #exercised: Exercised;
  #inodes = 0;
  #mtimes = 0;
  #written = 0;
  #freed = 0;
  #hang: { over: Promise<void>; end: () => void } | undefined;

  constructor(plan: DiskPlan, random: Random, exercised: Exercised) {
    this.plan = plan;
    this.#random = random;
    this.#exercised = exercised;
  }

  create(taskId: TaskId): void {
    const file = new MemoryFile(++this.#inodes);
    file.mtimeMs = ++this.#mtimes;
    this.files.set(taskId, file);
  }

  /** @throws DfpeerError DFP_STORE_FULL, DFP_STORE_IO */
  write(file: MemoryFile, offset: number, bytes: Uint8Array): void {
    this.#written += bytes.length;
    if (this.#written > this.plan.fullAfterBytes) this.#exercised.fault('disk: full');
    if (this.#written > this.plan.fullAfterBytes) throw new DfpeerError('DFP_STORE_FULL', 'no space left on the disk');
    this.failByChance('write');
    file.write(offset, bytes);
    file.mtimeMs = ++this.#mtimes;
  }

  /** What lies on the disk beside the task may go, as far as there is any. */
  makeRoom(bytes: number): boolean {
    if (this.#freed + bytes > this.plan.dispensableBytes) return false;
    this.#freed += bytes;
    this.#written -= bytes;
    return true;
  }

  touch(file: MemoryFile): void {
    file.mtimeMs = ++this.#mtimes;
  }

  failByChance(doing: string): void {
    if (!this.#random.chance(this.plan.errorRate)) return;
    this.#exercised.fault(`disk: EIO, ${doing}`);
    throw Object.assign(new Error(`EIO: i/o error, ${doing}`), { code: 'EIO' });
  }

  /** The time an operation takes, which is longer when the disk hangs. */
  async spend(maxMs: number, clock: VirtualClock): Promise<void> {
    if (maxMs >= 1000) this.#exercised.fault('disk: slow fsync');
    // Not timers of the code under test, which may have given up the wait.
    await new Promise<void>((resolve) => clock.script(this.#random.next() * maxMs, resolve));
    await this.hang?.over;
  }

  /** While it hangs nothing on it gets done; `over` resolves at the end. */
  get hang(): { over: Promise<void> } | undefined {
    return this.#hang;
  }

  startHanging(): void {
    this.#exercised.fault('disk: hangs');
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    this.#hang ??= { over, end };
  }

  /** The process has died: what it waited for never comes to an end. */
  forgetHang(): void {
    this.#hang = undefined;
  }

  stopHanging(): void {
    this.#hang?.end();
    this.#hang = undefined;
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
    await this.#disk.spend(1, this.#clock);
    const file = this.#disk.files.get(taskId);
    return file === undefined ? undefined : { size: file.size, mtimeMs: file.mtimeMs, inode: file.inode };
  }

  async isShared(): Promise<boolean> {
    return false;
  }

  async sync(taskId: TaskId): Promise<void> {
    // What is written while the sync runs may or may not be in it: here it is not.
    await this.#operate('sync', this.#disk.plan.syncMs, () => this.#existing(taskId).sync());
  }

  async digest(taskId: TaskId, range: ByteRange): Promise<string> {
    return this.#operate('read', 2, () => formatPieceDigest(crc32(this.#existing(taskId).read(range))));
  }

  openForReading(taskId: TaskId): OpenTaskFile {
    const { size, mtimeMs, inode } = this.#existing(taskId);
    return { fd: -1, path: taskId, mark: () => ({ size, mtimeMs, inode }), close: () => undefined };
  }

  async remove(taskId: TaskId): Promise<void> {
    await this.#operate('unlink', 2, () => this.#disk.files.delete(taskId));
  }

  async quarantine(taskId: TaskId): Promise<boolean> {
    return this.#operate('rename', 0, () => this.#disk.files.delete(taskId));
  }

  async list(): Promise<TaskId[]> {
    return [...this.#disk.files.keys()];
  }

  async isBlank(taskId: TaskId): Promise<boolean> {
    const file = this.#existing(taskId);
    return file.read({ offset: 0, length: file.size }).every((byte) => byte === 0);
  }

  async #operate<T>(doing: string, maxMs: number, work: () => T): Promise<T> {
    await this.#disk.spend(maxMs, this.#clock);
    try {
      this.#disk.failByChance(doing);
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
