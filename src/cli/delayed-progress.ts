import type { WriteStream } from 'node:tty';
import type { DownloadProgress } from './download-client.js';
import type { Progress } from './progress.js';

/** What is over sooner needs no bar, and need not wait for the library that draws one. */
const SHOW_AFTER_MS = 200;

/** A bar on a terminal for downloads that take a moment. */
export class DelayedProgress implements Progress {
  readonly #timer: NodeJS.Timeout;
  #latest: DownloadProgress | undefined;
  #shown: Progress | undefined;
  #isStopped = false;

  constructor(stream: WriteStream, color: boolean) {
    this.#timer = setTimeout(() => {
      this.#show(stream, color).catch(() => undefined); // a download is worth more than its picture
    }, SHOW_AFTER_MS);
  }

  onProgress(progress: DownloadProgress): void {
    this.#latest = progress;
    this.#shown?.onProgress(progress);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#shown?.stop();
  }

  async #show(stream: WriteStream, color: boolean): Promise<void> {
    const { TerminalProgress } = await import('./terminal-progress.js');
    if (this.#isStopped) return;
    this.#shown = new TerminalProgress(stream, color);
    if (this.#latest !== undefined) this.#shown.onProgress(this.#latest);
  }
}
