import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { createStream } from 'rotating-file-stream';
import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError, messageOf } from '../core/errors.js';
import { makeDirectories } from '../core/make-directories.js';

/** A line that could not be written, as on a full disk, is tried again after so long. */
export const LOG_RETRY_MS = 1000;

export interface LogFileOptions {
  dir: string;
  /** The current file; rotated ones are `<name>.1`, `<name>.2`, … */
  fileName: string;
  /** The current one included; 1 counts as 2. */
  maxFiles: number;
  maxFileSizeBytes: number;
}

/** @throws DfpeerError (DFP_CONFIG) when the directory can't be made or written to */
export async function openLogFiles(options: LogFileOptions, clock: Clock = systemClock): Promise<LogFiles> {
  const { dir } = options;
  try {
    await makeDirectories(dir, 0o750);
    await assertNoLink(join(dir, options.fileName));
    const files = openRotating(options);
    await new Promise<void>((resolve, reject) => {
      files.once('open', () => resolve());
      files.once('error', reject);
    });
    return new LogFiles(options, files, clock);
  } catch (cause) {
    const problem = messageOf(cause);
    throw new DfpeerError('DFP_CONFIG', `log directory ${dir} can't be used: ${problem}; choose one with --log-dir`, {
      cause,
    });
  }
}

/** The directory may be a service's that is not root's, and whoever starts a daemon by hand is root: a link would lead to a file of root's. */
async function assertNoLink(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isSymbolicLink() === true) throw new Error(`${path} is a symbolic link`);
}

/**
 * Log files that outlive a full disk: the library's stream ends at its first error, so another one takes its place. Lines wait meanwhile, and
 * whoever writes them bounds how many. Tells of trouble by `warning`, and of a line that was cut off by `lost`.
 */
export class LogFiles extends Writable {
  readonly #options: LogFileOptions;
  readonly #clock: Clock;
  #files: Writable;
  #isInTrouble = false;
  #isStale = false;
  #cancelRetry: () => void = () => undefined;

  constructor(options: LogFileOptions, files: Writable, clock: Clock) {
    super({ decodeStrings: false });
    this.#options = options;
    this.#clock = clock;
    this.#files = files;
    this.#listen();
  }

  /** Somebody may have renamed or removed the file: the next line goes to one of its name. */
  reopen(): void {
    this.#isStale = true;
  }

  /** One line at a time: of several, nobody could tell which were written. */
  override _write(line: string, encoding: BufferEncoding, done: (error?: Error) => void): void {
    const retry = (): void => void this.#reopen().then(() => this._write(line, encoding, done), onFailure);
    const onFailure = (error: Error): void => {
      if (!this.#isInTrouble) this.emit('warning', error);
      this.#isInTrouble = true;
      this.#cancelRetry = this.#clock.after(LOG_RETRY_MS, retry, { unref: true });
    };
    if (this.#isStale) {
      this.#isStale = false;
      // The end waits for a rotation that has begun.
      this.#files.end(retry);
      return;
    }
    this.#files.write(line, encoding, (error) => {
      if (isError(error)) return onFailure(error);
      this.#isInTrouble = false;
      done();
    });
  }

  override _final(done: (error?: Error) => void): void {
    this.#files.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#cancelRetry();
    this.#files.destroy();
    done(error);
  }

  /** @throws Error where a link has the file's place */
  async #reopen(): Promise<void> {
    this.#files.destroy();
    const path = join(this.#options.dir, this.#options.fileName);
    await assertNoLink(path);
    const isCutOff = await endsWithinLine(path);
    if (this.destroyed) return;
    this.#files = openRotating(this.#options);
    this.#listen();
    if (!isCutOff) return;
    await new Promise<void>((resolve) => {
      this.#files.write('\n', (error) => {
        if (!isError(error)) this.emit('lost');
        resolve();
      });
    });
  }

  #listen(): void {
    // Each write hears of its own error.
    this.#files.on('error', () => undefined);
    this.#files.on('warning', (error) => this.emit('warning', error));
  }
}

function openRotating({ dir, fileName, maxFiles, maxFileSizeBytes }: LogFileOptions): Writable {
  return createStream(fileName, {
    path: dir,
    size: `${maxFileSizeBytes}B`,
    rotate: Math.max(1, maxFiles - 1),
    mode: 0o640,
  });
}

function isError(error: Error | null | undefined): error is Error {
  return error !== null && error !== undefined;
}

/** What the last room of a disk took of a line: the system takes less than it is given, which is no error yet. */
async function endsWithinLine(path: string): Promise<boolean> {
  try {
    // A pipe in its place would hold an open(2) that waits for a writer for ever, and with it the end of the process.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      return bytesRead === 1 && buffer.toString() !== '\n';
    } finally {
      await file.close();
    }
  } catch {
    // Whoever writes hears what is wrong.
    return false;
  }
}
