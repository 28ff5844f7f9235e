import { SingleBar } from 'cli-progress';
import type { WriteStream } from 'node:tty';
import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadEvents, DownloadProgress, DownloadResult } from './download-client.js';
import { renderProgressLine, sourceSummary } from './progress-line.js';

const PLAIN_INTERVAL_MS = 5_000;
const FRAMES_PER_SECOND = 10;
/** The rate shown is the mean over about this time. */
const RATE_WINDOW_MS = 3_000;

export interface Progress extends DownloadEvents {
  finish(result: DownloadResult, output: string): void;
  /** The download failed: leaves the terminal as it was. */
  stop(): void;
}

/** A bar on a terminal, a line now and then elsewhere, nothing when that is asked for. Always on stderr. */
export function createProgress(options: {
  enabled: boolean;
  stream: NodeJS.WriteStream & { fd: number };
  env: NodeJS.ProcessEnv;
}): Progress {
  const { enabled, stream, env } = options;
  if (!enabled) return { onProgress: () => undefined, finish: () => undefined, stop: () => undefined };
  return stream.isTTY ? new TerminalProgress(stream, (env.NO_COLOR ?? '') === '') : new PlainProgress(stream);
}

class TerminalProgress implements Progress {
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

  finish(result: DownloadResult, output: string): void {
    this.stop();
    this.#stream.write(`${summary(result, output, performance.now() - this.#startedMs)}\n`);
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

class PlainProgress implements Progress {
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

  finish(result: DownloadResult, output: string): void {
    this.#stream.write(`${summary(result, output, performance.now() - this.#startedMs)}\n`);
  }

  stop(): void {
    // Every line was complete.
  }
}

function summary(result: DownloadResult, output: string, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? `, ${formatBytes((result.bytes / elapsedMs) * 1000)}/s` : '';
  const sources = sourceSummary(result);
  return `${output}: ${formatBytes(result.bytes)} in ${formatDurationMs(elapsedMs)}${rate}${sources === '' ? '' : ` (${sources})`}`;
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
