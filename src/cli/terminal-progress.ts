import type { WriteStream } from 'node:tty';
import type { DownloadProgress } from './download-client.js';
import { renderProgressLine } from './progress-line.js';
import { type Progress, waitingLine } from './progress.js';
import { RecentRate } from './recent-rate.js';
import { TerminalBar } from './terminal-bar.js';

/** A bar on a terminal. */
export class TerminalProgress implements Progress {
  readonly #bar: TerminalBar;
  readonly #stream: WriteStream;
  readonly #rate = new RecentRate();
  readonly #startedMs = performance.now();
  #latest: DownloadProgress | undefined;

  constructor(stream: WriteStream, color: boolean) {
    this.#stream = stream;
    this.#bar = new TerminalBar(stream, () => this.#render(color));
  }

  onProgress(progress: DownloadProgress): void {
    this.#latest = progress;
    this.#rate.add(progress.bytes);
  }

  stop(): void {
    this.#bar.stop();
  }

  #render(color: boolean): string {
    const { columns } = this.#stream;
    if (this.#latest === undefined) return waitingLine(performance.now() - this.#startedMs).slice(0, columns - 1);
    return renderProgressLine(this.#latest, { bytesPerSecond: this.#rate.perSecond, columns, color });
  }
}
