import { formatBytes, formatDurationMs } from '../core/units.js';
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

/** A line now and then, whether anything comes or not: for logs and pipes. */
export class PlainProgress implements Progress {
  readonly #stream: NodeJS.WritableStream;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #latest: DownloadProgress | undefined;

  constructor(stream: NodeJS.WritableStream, intervalMs = PLAIN_INTERVAL_MS) {
    this.#stream = stream;
    this.#timer = setInterval(() => this.#tell(), intervalMs).unref();
  }

  onProgress(progress: DownloadProgress): void {
    this.#latest = progress;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const elapsedMs = performance.now() - this.#startedMs;
    this.#stream.write(`${this.#latest === undefined ? waitingLine(elapsedMs) : line(this.#latest, elapsedMs)}\n`);
  }
}

/** Before anything is known of the content. */
export function waitingLine(elapsedMs: number): string {
  return `waiting for the first byte, ${formatDurationMs(elapsedMs)}`;
}

function line(progress: DownloadProgress, elapsedMs: number): string {
  const { bytes, wantedBytes } = progress;
  const amount =
    wantedBytes === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(wantedBytes)}`;
  const parts = [amount, `${formatBytes((bytes / elapsedMs) * 1000)}/s`, sourceSummary(progress)];
  return parts.filter((part) => part !== '').join(', ');
}
