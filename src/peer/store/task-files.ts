import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { lstat, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../core/errors.js';
import { formatPieceDigest, type ByteRange } from '../../core/piece.js';
import { isTaskId, type TaskId } from '../../core/task-id.js';
import { runningCrc32 } from '../../core/running-crc32.js';
import { unlessGone } from '../../core/unless-gone.js';
import { mapDiskError } from '../disk-error.js';
import { ensurePrivateDirectory, isOwnUid } from './private-directory.js';
import { Quarantine } from './quarantine.js';

/** What a data file looked like when it was last known good. After any difference its pieces are checked again. */
export interface FileMark {
  size: number;
  mtimeMs: number;
  inode: number;
}

/** The data files, one sparse file a task. The simulator has its own. */
export interface TaskFiles {
  path(taskId: TaskId): string;
  /** A new empty file in place of an old one. */
  create(taskId: TaskId): Promise<void>;
  setLength(taskId: TaskId, length: number): Promise<void>;
  /** Undefined when there is no such file, or it isn't a regular file of ours. */
  mark(taskId: TaskId): Promise<FileMark | undefined>;
  /** Somebody else has the file too: an output that is a hard link to it. */
  isShared(taskId: TaskId): Promise<boolean>;
  /** Data reaches the disk before this resolves. */
  sync(taskId: TaskId): Promise<void>;
  /** `crc32:<decimal>` of a range as it is on disk now. */
  digest(taskId: TaskId, range: ByteRange): Promise<string>;
  openForReading(taskId: TaskId): OpenTaskFile;
  remove(taskId: TaskId): Promise<void>;
  /** Moves a file that can't be trusted out of the way, where an operator can look at it. False when there is none. */
  quarantine(taskId: TaskId): Promise<boolean>;
  /** Whatever stands where a data file belongs. */
  list(): Promise<TaskId[]>;
  /** Whether no byte was ever written to the file. */
  isBlank(taskId: TaskId): Promise<boolean>;
}

export interface OpenTaskFile {
  readonly fd: number;
  readonly path: string;
  /** As it looks now; a system call of a microsecond. */
  mark(): FileMark;
  close(): void;
}

/** Directories read at once. */
const LISTED_AT_ONCE = 16;
const VERIFY_CHUNK_BYTES = 1024 * 1024;
/** `<directory>/content/<id[0:3]>/<id>`: every path is made from a checked {@link TaskId}, and no symbolic link is followed. */
export class DiskTaskFiles implements TaskFiles {
  readonly #content: string;
  readonly #quarantine: Quarantine;

  private constructor(directory: string, quarantine: Quarantine) {
    this.#content = join(directory, 'content');
    this.#quarantine = quarantine;
  }

  /** @throws DfpeerError DFP_STORE_UNTRUSTED when a directory is a link or somebody else's. */
  static async open(directory: string, quarantine = new Quarantine(directory)): Promise<DiskTaskFiles> {
    const files = new DiskTaskFiles(directory, quarantine);
    for (const each of [directory, files.#content, quarantine.directory]) await ensurePrivateDirectory(each);
    return files;
  }

  path(taskId: TaskId): string {
    return join(this.#content, taskId.slice(0, 3), taskId);
  }

  async create(taskId: TaskId): Promise<void> {
    await mapDiskError(`create the data file of task ${taskId}`, async () => {
      await this.#tryCreate(taskId).catch((error: unknown) => {
        // The last other task in the shard was removed, and the shard with it.
        if (errnoOf(error) === 'ENOENT') return this.#tryCreate(taskId);
        throw error;
      });
    });
  }

  async setLength(taskId: TaskId, length: number): Promise<void> {
    await this.#withFile(taskId, constants.O_WRONLY, 'size', (file) => file.truncate(length));
  }

  async mark(taskId: TaskId): Promise<FileMark | undefined> {
    const stats = await unlessGone(lstat(this.path(taskId)), undefined);
    return stats !== undefined && stats.isFile() && isOwnUid(stats.uid) ? toMark(stats) : undefined;
  }

  async isShared(taskId: TaskId): Promise<boolean> {
    return mapDiskError(`look at the data file of task ${taskId}`, async () => {
      const stats = await unlessGone(lstat(this.path(taskId)), undefined);
      return stats !== undefined && stats.nlink > 1;
    });
  }

  async sync(taskId: TaskId): Promise<void> {
    await this.#withFile(taskId, constants.O_WRONLY, 'sync', (file) => file.datasync());
  }

  async digest(taskId: TaskId, range: ByteRange): Promise<string> {
    return this.#withFile(taskId, constants.O_RDONLY, 'read', async (file) => {
      const buffer = Buffer.allocUnsafe(Math.min(range.length, VERIFY_CHUNK_BYTES));
      let sum = 0;
      for (let done = 0; done < range.length;) {
        const { bytesRead } = await file.read(
          buffer,
          0,
          Math.min(buffer.length, range.length - done),
          range.offset + done,
        );
        if (bytesRead === 0) break; // a truncated file: the sum will not match
        sum = runningCrc32(buffer.subarray(0, bytesRead), sum);
        done += bytesRead;
      }
      return formatPieceDigest(sum);
    });
  }

  openForReading(taskId: TaskId): OpenTaskFile {
    const path = this.path(taskId);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    return { fd, path, mark: () => toMark(fstatSync(fd)), close: () => closeSync(fd) };
  }

  async remove(taskId: TaskId): Promise<void> {
    await rm(this.path(taskId), { force: true });
    // Its shard may hold other tasks.
    await rmdir(join(this.#content, taskId.slice(0, 3))).catch(() => undefined);
  }

  async quarantine(taskId: TaskId): Promise<boolean> {
    return this.#quarantine.take(taskId, (target) => rename(this.path(taskId), target));
  }

  async isBlank(taskId: TaskId): Promise<boolean> {
    const stats = await lstat(this.path(taskId)).catch(() => undefined);
    return stats?.isFile() === true && stats.blocks === 0;
  }

  async list(): Promise<TaskId[]> {
    const shards = (await readdir(this.#content)).values();
    const found: TaskId[] = [];
    const work = async (): Promise<void> => {
      for (const shard of shards) found.push(...(await this.#listShard(shard)));
    };
    await Promise.all(Array.from({ length: LISTED_AT_ONCE }, work));
    return found;
  }

  async #listShard(shard: string): Promise<TaskId[]> {
    const names: string[] = await readdir(join(this.#content, shard)).catch(() => []);
    // A daemon that was killed may have made the directory for nothing.
    if (names.length === 0) await rmdir(join(this.#content, shard)).catch(() => undefined);
    return names.filter((name) => isTaskId(name)).filter((taskId) => taskId.startsWith(shard));
  }

  async #tryCreate(taskId: TaskId): Promise<void> {
    await ensurePrivateDirectory(join(this.#content, taskId.slice(0, 3)));
    await rm(this.path(taskId), { force: true });
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    // Readable for all, as an output file that is a hard link to it must be; the directories above let nobody else in.
    await (await open(this.path(taskId), flags, 0o644)).close();
  }

  async #withFile<T>(
    taskId: TaskId,
    flags: number,
    doing: string,
    work: (file: import('node:fs/promises').FileHandle) => Promise<T>,
  ): Promise<T> {
    return mapDiskError(`${doing} the data file of task ${taskId}`, async () => {
      const file = await open(this.path(taskId), flags | constants.O_NOFOLLOW);
      try {
        return await work(file);
      } finally {
        await file.close();
      }
    });
  }
}

export function isSameMark(one: FileMark | undefined, other: FileMark | undefined): boolean {
  return one !== undefined && one.size === other?.size && one.mtimeMs === other.mtimeMs && one.inode === other.inode;
}

function toMark({ size, mtimeMs, ino }: Stats): FileMark {
  return { size, mtimeMs, inode: ino };
}
