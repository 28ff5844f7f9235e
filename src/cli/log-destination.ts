import type { Writable } from 'node:stream';
import { createStream } from 'rotating-file-stream';
import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import { makeDirectories } from '../core/make-directories.js';

/** Lines that the disk or the terminal has not taken yet; beyond it lines are dropped and counted. */
export const MAX_BUFFERED_LOG_BYTES = 8 * 1024 * 1024;
/** How long close() waits for them. */
export const LOG_FLUSH_TIMEOUT_MS = 2000;

export interface LogFileOptions {
  dir: string;
  /** The current file; rotated ones are `<name>.1`, `<name>.2`, … */
  fileName: string;
  /** The current one included; 1 counts as 2. */
  maxFiles: number;
  maxFileSizeBytes: number;
}

/** @throws DfpeerError (DFP_CONFIG) when the directory can't be made or written to */
export async function openLogFiles(options: LogFileOptions): Promise<Writable> {
  const { dir, fileName, maxFiles, maxFileSizeBytes } = options;
  const fail = (cause: unknown): never => {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new DfpeerError('DFP_CONFIG', `log directory ${dir} can't be used: ${problem}; choose one with --log-dir`, {
      cause,
    });
  };
  await makeDirectories(dir, 0o750).catch(fail);
  const stream = createStream(fileName, {
    path: dir,
    size: `${maxFileSizeBytes}B`,
    rotate: Math.max(1, maxFiles - 1),
    mode: 0o640,
  });
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', reject);
  }).catch(fail);
  return stream;
}

/** Where lines go: bounded, never throwing, never waiting. */
export class LogDestination {
  readonly #stream: Writable;
  readonly #onFailure: (error: Error) => void;
  readonly #clock: Clock;
  readonly #maxBufferedBytes: number;
  #bufferedBytes = 0;
  #dropped = 0;
  #isClosed = false;

  /** @param onFailure told of errors of the stream, such as a full disk */
  constructor(
    stream: Writable,
    onFailure: (error: Error) => void,
    options: { clock?: Clock; maxBufferedBytes?: number } = {},
  ) {
    this.#stream = stream;
    this.#onFailure = onFailure;
    this.#clock = options.clock ?? systemClock;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? MAX_BUFFERED_LOG_BYTES;
    stream.on('error', onFailure);
    stream.on('warning', onFailure);
  }

  /** Lines that were dropped, ever. */
  get droppedLines(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#isClosed) return;
    const bytes = Buffer.byteLength(line);
    if (this.#bufferedBytes + bytes > this.#maxBufferedBytes) {
      if (this.#dropped++ === 0) this.#onFailure(tooSlow(this.#maxBufferedBytes));
      return;
    }
    this.#bufferedBytes += bytes;
    this.#stream.write(line, () => (this.#bufferedBytes -= bytes));
  }

  /** Resolves when what was written is out, or after {@link LOG_FLUSH_TIMEOUT_MS}. Ends the stream unless it is shared. */
  async close({ end }: { end: boolean }): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(LOG_FLUSH_TIMEOUT_MS, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      this.#stream.once('error', done);
      if (end) this.#stream.end(done);
      else this.#stream.write('', done);
    });
    this.#stream.off('warning', this.#onFailure);
  }
}

function tooSlow(maxBufferedBytes: number): DfpeerError {
  return new DfpeerError('DFP_LIMIT', `lines are dropped: ${maxBufferedBytes} bytes wait to be written already`);
}
