import { SingleBar } from 'cli-progress';
import type { WriteStream } from 'node:tty';
import type { DownloadProgress } from './download-client.js';
import { renderProgressLine } from './progress-line.js';
import type { Progress } from './progress.js';

const FRAMES_PER_SECOND = 10;
/** The rate shown is the mean over about this time. */
const RATE_WINDOW_MS = 3_000;

/** A bar on a terminal. */
export class TerminalProgress implements Progress {
  readonly #bar: SingleBar;
  readonly #stream: WriteStream;
  readonly #startedMs = performance.now();
  readonly #rate = new RecentRate();
  #latest: DownloadProgress | undefined;

  constructor(stream: WriteStream, color: boolean) {
    this.#stream = stream;
    const format = (): string => this.#render(color);
    this.#bar = new SingleBar({
      stream,
      format,
      fps: FRAMES_PER_SECOND,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
      emptyOnZero: true,
    });
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
    const elapsedMs = performance.now() - this.#startedMs;
    return renderProgressLine({
      progress: this.#latest,
      elapsedMs,
      bytesPerSecond: this.#rate.perSecond,
      columns: this.#stream.columns,
      color,
    });
  }
}

class RecentRate {
  readonly #samples: { ms: number; bytes: number }[] = [];

  add(bytes: number): void {
    const ms = performance.now();
    this.#samples.push({ ms, bytes });
    while (this.#samples.length > 2 && ms - (this.#samples[0]?.ms ?? ms) > RATE_WINDOW_MS) this.#samples.shift();
  }

  get perSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.ms === first.ms) return 0;
    return ((last.bytes - first.bytes) / (performance.now() - first.ms)) * 1000;
  }
}
