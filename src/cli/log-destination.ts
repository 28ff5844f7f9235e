import type { Writable } from 'node:stream';
import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';

/** Lines that the disk or the terminal has not taken yet; beyond it lines are dropped and counted. */
export const MAX_BUFFERED_LOG_BYTES = 8 * 1024 * 1024;
/** How long close() waits for them. */
export const LOG_FLUSH_TIMEOUT_MS = 2000;

/** Where lines go: bounded, never throwing, never waiting. */
export class LogDestination {
  readonly #stream: Writable;
  readonly #onFailure: (error: Error) => void;
  readonly #clock: Clock;
  readonly #maxBufferedBytes: number;
  readonly #noteOfLoss: (lines: number) => string;
  #bufferedBytes = 0;
  #dropped = 0;
  /** Of those, how many the log itself tells of. */
  #told = 0;
  #isClosed = false;

  /**
   * @param onFailure told of errors of the stream, such as a full disk
   * @param options.noteOfLoss the line that tells of lost ones, where they are missing
   */
  constructor(
    stream: Writable,
    onFailure: (error: Error) => void,
    options: { clock?: Clock; maxBufferedBytes?: number; noteOfLoss?: (lines: number) => string } = {},
  ) {
    this.#stream = stream;
    this.#onFailure = onFailure;
    this.#clock = options.clock ?? systemClock;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? MAX_BUFFERED_LOG_BYTES;
    this.#noteOfLoss = options.noteOfLoss ?? ((lines): string => `${lines} lines of the log were lost\n`);
    stream.on('error', onFailure);
    stream.on('warning', onFailure);
    stream.on('lost', this.#onLost);
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
    this.#tellOfLoss();
    this.#pass(line, bytes);
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
    this.#stream.off('lost', this.#onLost);
  }

  readonly #onLost = (): void => {
    this.#dropped++;
  };

  #pass(line: string, bytes: number): void {
    this.#bufferedBytes += bytes;
    this.#stream.write(line, () => {
      this.#bufferedBytes -= bytes;
      // Otherwise before the first line that comes after them.
      if (this.#bufferedBytes === 0) this.#tellOfLoss();
    });
  }

  #tellOfLoss(): void {
    const lines = this.#dropped - this.#told;
    if (lines === 0 || this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#told = this.#dropped;
    const note = this.#noteOfLoss(lines);
    this.#pass(note, Buffer.byteLength(note));
  }
}

function tooSlow(maxBufferedBytes: number): DfpeerError {
  return new DfpeerError('DFP_LIMIT', `lines are dropped: ${maxBufferedBytes} bytes wait to be written already`);
}
