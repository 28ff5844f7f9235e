import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateDirectory } from './private-directory.js';
import { unlessGone } from '../../core/unless-gone.js';

/** Damaged files kept for the operator; the oldest go first. */
export const MAX_QUARANTINED_FILES = 16;

export interface QuarantinedFile {
  name: string;
  /** What it takes of the disk, with all that is in it where it is a directory. */
  bytes: number;
  sinceMs: number;
}

/**
 * Where files go that can't be trusted, so that an operator can look at them: `<directory>/quarantine/<since>-<name>`. Who has looked may
 * remove it altogether.
 */
export class Quarantine {
  readonly directory: string;
  readonly #now: () => number;

  constructor(storeDirectory: string, now: () => number = Date.now) {
    this.directory = join(storeDirectory, 'quarantine');
    this.#now = now;
  }

  /** `move` brings something to the path it is given. Resolves with false when there was nothing to move. */
  async take(name: string, move: (target: string) => Promise<void>): Promise<boolean> {
    await ensurePrivateDirectory(this.directory);
    const kept = await this.list();
    for (const file of kept.slice(0, Math.max(0, kept.length - MAX_QUARANTINED_FILES + 1))) await this.remove(file);
    const moved = move(join(this.directory, `${this.#now()}-${name}`)).then(() => true);
    return unlessGone(moved, false);
  }

  /** Oldest first. */
  async list(): Promise<QuarantinedFile[]> {
    const files: QuarantinedFile[] = [];
    for (const name of await unlessGone(readdir(this.directory), [])) {
      const bytes = await bytesOnDisk(join(this.directory, name)).catch(() => undefined);
      if (bytes !== undefined) files.push({ name, bytes, sinceMs: Number.parseInt(name, 10) || 0 });
    }
    return files.sort((a, b) => a.sinceMs - b.sinceMs);
  }

  async remove({ name }: QuarantinedFile): Promise<void> {
    await rm(join(this.directory, name), { force: true, recursive: true });
  }
}

/** @throws NodeJS.ErrnoException */
async function bytesOnDisk(path: string): Promise<number> {
  const stats = await lstat(path);
  let bytes = stats.blocks * 512;
  if (stats.isDirectory()) for (const name of await readdir(path)) bytes += await bytesOnDisk(join(path, name));
  return bytes;
}
