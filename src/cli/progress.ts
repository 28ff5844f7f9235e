import { formatBytes } from '../core/units.js';
import type { DownloadProgress } from './download-client.js';
import { sourceSummary } from './progress-line.js';

/** Between two lines where there is no terminal. */
export const PLAIN_INTERVAL_MS = 5_000;

/** How far one download is. */
export interface Progress {
  onProgress(progress: DownloadProgress): void;
  /** Leaves the terminal as it was. Idempotent. */
  stop(): void;
}

/** A line now and then: for logs and pipes. */
export class PlainProgress implements Progress {
  readonly #stream: NodeJS.WritableStream;
  readonly #startedMs = performance.now();
  #lastMs = this.#startedMs;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  onProgress(progress: DownloadProgress): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < PLAIN_INTERVAL_MS) return;
    this.#lastMs = nowMs;
    const rate = (progress.bytes / (nowMs - this.#startedMs)) * 1000;
    this.#stream.write(
      `${formatBytes(progress.bytes)} of ${formatBytes(progress.wantedBytes)}, ${formatBytes(rate)}/s, ${sourceSummary(progress)}\n`,
    );
  }

  stop(): void {
    // Every line was complete.
  }
}
