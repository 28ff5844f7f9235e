import { open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { nameFile, openUnnamedFile } from '../../../native/index.js';
import { errnoOf } from '../../core/errors.js';
import { outputExists } from './output-file.js';
import { publishName, temporaryNameFor } from './temporary-name.js';

/** What a file system that has no permissions answers to its file's own maker. */
const WITHOUT_MODES = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** An output while it is written: without a name where the file system can, so that a kill leaves nothing behind. */
export class TemporaryOutput {
  readonly file: FileHandle;
  readonly #path: string;
  /** Undefined: it has none. */
  #name: string | undefined;

  private constructor(path: string, file: FileHandle, name: string | undefined) {
    this.#path = path;
    this.file = file;
    this.#name = name;
  }

  /** `mode`, the file's permissions: undefined for those that this process's umask leaves. */
  static async open(path: string, mode?: number): Promise<TemporaryOutput> {
    const output = await TemporaryOutput.#make(path, mode);
    try {
      if (mode !== undefined) await setMode(output.file, mode);
      return output;
    } catch (error) {
      await output.discard();
      throw error;
    }
  }

  static async #make(path: string, mode: number | undefined): Promise<TemporaryOutput> {
    const unnamed = await openUnnamedFile(dirname(path));
    if (unnamed !== undefined) return new TemporaryOutput(path, unnamed, undefined);
    const name = temporaryNameFor(path);
    return new TemporaryOutput(path, await open(name, 'wx', mode), name);
  }

  /** Gives the complete file its name, atomically. @throws UsageError DFP_OUTPUT_EXISTS when a file appeared meanwhile */
  async publish(overwrite: boolean): Promise<void> {
    try {
      if (this.#name === undefined && !overwrite) return await nameFile(this.file, this.#path);
      if (this.#name === undefined) {
        const name = temporaryNameFor(this.#path);
        await nameFile(this.file, name);
        this.#name = name;
      }
      // Some file systems (NFS) say only now that not all of it could be written.
      await this.file.close();
      await publishName(this.#name, this.#path, overwrite);
    } catch (error) {
      throw errnoOf(error) === 'EEXIST' ? outputExists(this.#path, error) : error;
    }
  }

  /** Closes; what was not published is gone. */
  async discard(): Promise<void> {
    await this.file.close();
    if (this.#name !== undefined) await rm(this.#name, { force: true });
  }
}

/** Exactly this, whatever the umask of this process; a file system without permissions is left as it is. */
async function setMode(file: FileHandle, mode: number): Promise<void> {
  if (((await file.stat()).mode & 0o777) === mode) return;
  try {
    await file.chmod(mode);
  } catch (error) {
    if (!WITHOUT_MODES.has(errnoOf(error) ?? '')) throw error;
  }
}
