import type { Dispatcher } from 'undici';
import { AbortedError } from '../../../core/errors.js';

/** More than this is not taken from the socket before it was asked for. */
export const MAX_BUFFERED_BYTES = 128 * 1024;

/** The bytes of an origin's answer, pulled by one reader; the connection is paused when the reader is slow. */
export class ResponseBody {
  readonly #controller: Dispatcher.DispatchController;
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  #end: { error: Error | undefined } | undefined;
  #wakeReader: (() => void) | undefined;

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
  }

  /** Everything that has come since, at least one chunk; undefined at the end. @throws what ended the body before its time */
  async read(): Promise<Uint8Array[] | undefined> {
    if (this.#chunks.length === 0 && this.#end === undefined) {
      const woken = new Promise<void>((resolve) => (this.#wakeReader = resolve));
      // May deliver bytes before it returns.
      this.#controller.resume();
      await woken;
    }
    const chunks = this.#chunks;
    if (chunks.length > 0) {
      this.#chunks = [];
      this.#bufferedBytes = 0;
      return chunks;
    }
    if (this.#end?.error !== undefined) throw this.#end.error;
    return undefined;
  }

  /** Drops what is left, together with its connection; nothing is left once the end was read. */
  cancel(): void {
    const reason = new AbortedError('reading the answer');
    this.#chunks = [];
    if (this.#end === undefined) this.#controller.abort(reason);
    this.finish(reason);
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes >= MAX_BUFFERED_BYTES) this.#controller.pause();
    this.#wake();
  }

  finish(error?: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeReader = undefined;
  }
}
