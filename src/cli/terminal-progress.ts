import { SingleBar } from 'cli-progress';
import type { WriteStream } from 'node:tty';
import type { DownloadProgress } from './download-client.js';
import { renderProgressLine } from './progress-line.js';
import type { Progress } from './progress.js';
import { RecentRate } from './recent-rate.js';

/** Of every bar, and of those that stand for many downloads. */
export const BAR_OPTIONS = {
  fps: 10,
  hideCursor: true,
  clearOnComplete: true,
  linewrap: false,
  emptyOnZero: true,
} as const;

/** A bar on a terminal. */
export class TerminalProgress implements Progress {
  readonly #bar: SingleBar;
  readonly #stream: WriteStream;
  readonly #rate = new RecentRate();
  #latest: DownloadProgress | undefined;

  constructor(stream: WriteStream, color: boolean) {
    this.#stream = stream;
    this.#bar = new SingleBar({ ...BAR_OPTIONS, stream, format: () => this.#render(color) });
  }

  onProgress(progress: DownloadProgress): void {
    if (this.#latest === undefined) this.#bar.start(Math.max(progress.wantedBytes, 1), progress.bytes);
    this.#latest = progress;
    this.#rate.add(progress.bytes);
    this.#bar.update(progress.bytes);
  }

  stop(): void {
    this.#bar.stop();
  }

  #render(color: boolean): string {
    if (this.#latest === undefined) return '';
    const { columns } = this.#stream;
    return renderProgressLine(this.#latest, { bytesPerSecond: this.#rate.perSecond, columns, color });
  }
}
