import type { WriteStream } from 'node:tty';
import type { ListDisplay } from './list-display.js';
import type { ListProgress } from './list-tally.js';
import { renderListLine } from './progress-line.js';
import { RecentRate } from './recent-rate.js';
import { TerminalBar } from './terminal-bar.js';

/** A list that is over sooner needs no bar. */
const SHOW_AFTER_MS = 200;

/** One bar for all downloads at the bottom of a terminal; what stays scrolls by above it. */
export class TerminalListDisplay implements ListDisplay {
  readonly #stream: WriteStream;
  readonly #color: boolean;
  readonly #rate = new RecentRate();
  readonly #startedMs = performance.now();
  #bar: TerminalBar | undefined;
  #latest: ListProgress | undefined;

  constructor(stream: WriteStream, color: boolean) {
    this.#stream = stream;
    this.#color = color;
  }

  line(text: string): void {
    if (this.#bar === undefined) this.#stream.write(`${text}\n`);
    else this.#bar.line(text);
  }

  show(progress: ListProgress): void {
    this.#latest = progress;
    this.#rate.add(progress.bytes);
    if (this.#bar !== undefined || performance.now() - this.#startedMs < SHOW_AFTER_MS) return;
    this.#bar = new TerminalBar(this.#stream, () => this.#render());
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #render(): string {
    if (this.#latest === undefined) return '';
    const { columns } = this.#stream;
    return renderListLine(this.#latest, { bytesPerSecond: this.#rate.perSecond, columns, color: this.#color });
  }
}
