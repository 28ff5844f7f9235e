import { SingleBar } from 'cli-progress';
import type { WriteStream } from 'node:tty';
import type { DownloadProgress } from './download-client.js';
import { renderProgressLine } from './progress-line.js';
import { type Progress, waitingLine } from './progress.js';
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
  readonly #startedMs = performance.now();
  #latest: DownloadProgress | undefined;

  constructor(stream: WriteStream, color: boolean) {
    this.#stream = stream;
    this.#bar = new SingleBar({ ...BAR_OPTIONS, stream, format: () => this.#render(color) });
    this.#bar.start(1, 0);
  }

  onProgress(progress: DownloadProgress): void {
    this.#latest = progress;
    this.#rate.add(progress.bytes);
    this.#bar.setTotal(Math.max(progress.wantedBytes ?? 1, 1));
    this.#bar.update(progress.bytes);
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
