import { MultiBar } from 'cli-progress';
import type { WriteStream } from 'node:tty';
import type { ListDisplay } from './list-display.js';
import type { ListProgress } from './list-tally.js';
import { renderListLine } from './progress-line.js';
import { RecentRate } from './recent-rate.js';
import { BAR_OPTIONS } from './terminal-progress.js';

/** A list that is over sooner needs no bar. */
const SHOW_AFTER_MS = 200;

/** DECAWM: a bar is cut at the edge, text is not. */
const [WRAP_LINES, CUT_LINES] = ['\u001b[?7h', '\u001b[?7l'];

/** One bar for all downloads at the bottom of a terminal; what stays scrolls by above it. */
export class TerminalListDisplay implements ListDisplay {
  readonly #stream: WriteStream;
  readonly #bars: MultiBar;
  readonly #rate = new RecentRate();
  readonly #startedMs = performance.now();
  #latest: ListProgress | undefined;
  #isShown = false;

  constructor(stream: WriteStream, color: boolean) {
    this.#stream = stream;
    this.#bars = new MultiBar({ ...BAR_OPTIONS, stream, format: () => this.#render(color) });
  }

  line(text: string): void {
    if (!this.#isShown) return void this.#stream.write(`${text}\n`);
    this.#bars.log(`${WRAP_LINES}${text}\n${CUT_LINES}`);
    this.#bars.update();
  }

  show(progress: ListProgress): void {
    this.#latest = progress;
    this.#rate.add(progress.bytes);
    if (this.#isShown || performance.now() - this.#startedMs < SHOW_AFTER_MS) return;
    this.#isShown = true;
    this.#bars.create(1, 0);
  }

  stop(): void {
    if (this.#isShown) this.#bars.stop();
    this.#isShown = false;
  }

  #render(color: boolean): string {
    if (this.#latest === undefined) return '';
    const { columns } = this.#stream;
    return renderListLine(this.#latest, { bytesPerSecond: this.#rate.perSecond, columns, color });
  }
}
