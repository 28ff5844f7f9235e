import { formatBytes } from '../core/units.js';
import type { ListProgress } from './list-tally.js';
import { PLAIN_INTERVAL_MS } from './progress.js';
import { sourceSummary } from './progress-line.js';

/** Where a list of downloads shows how it goes. */
export interface ListDisplay {
  /** Text that stays. */
  line(text: string): void;
  show(progress: ListProgress): void;
  /** Leaves the terminal as it was. Idempotent. */
  stop(): void;
}

/** Nothing but lines: for logs and pipes. */
export class LineListDisplay implements ListDisplay {
  readonly #stream: NodeJS.WritableStream;
  readonly #showProgress: boolean;
  #lastMs = performance.now();

  /** @param showProgress with a line now and then of all downloads together */
  constructor(stream: NodeJS.WritableStream, showProgress: boolean) {
    this.#stream = stream;
    this.#showProgress = showProgress;
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  show(progress: ListProgress): void {
    const nowMs = performance.now();
    if (!this.#showProgress || nowMs - this.#lastMs < PLAIN_INTERVAL_MS) return;
    this.#lastMs = nowMs;
    const { ended, files, bytes } = progress;
    const sources = sourceSummary(progress);
    this.line(`${ended} of ${files} files, ${formatBytes(bytes)}${sources === '' ? '' : ` (${sources})`}`);
  }

  stop(): void {
    // Every line was complete.
  }
}
