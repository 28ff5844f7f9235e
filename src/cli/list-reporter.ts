import type { WriteStream } from 'node:tty';
import { counted } from '../core/counted.js';
import { printable, printableLines } from '../core/printable.js';
import { redactText, redactUrl } from '../core/redact.js';
import type { explain } from './explain.js';
import { type ListDisplay, LineListDisplay } from './list-display.js';
import { ListTally } from './list-tally.js';
import type { Reporter, TargetReporter } from './reporter.js';
import { DAEMON_ENDS, DAEMON_STARTS, INTERRUPTED, summarize } from './summary.js';
import type { Target } from './url-list.js';

export interface ListReporterOptions {
  display: ListDisplay;
  files: number;
  /** Without it only what went wrong is told. */
  showProgress: boolean;
  /** Undefined: not asked for. */
  explain: typeof explain | undefined;
}

/** On a terminal with a bar; elsewhere, and without progress, lines only. */
export async function createListReporter(options: {
  stream: WriteStream;
  color: boolean;
  files: number;
  showProgress: boolean;
  explain: typeof explain | undefined;
}): Promise<ListReporter> {
  const { stream, color, files, showProgress } = options;
  const createDisplay = async (): Promise<ListDisplay> => {
    if (!showProgress || !stream.isTTY) return new LineListDisplay(stream, showProgress);
    const { TerminalListDisplay } = await import('./terminal-list-display.js');
    return new TerminalListDisplay(stream, color);
  };
  return new ListReporter({ files, display: await createDisplay(), showProgress, explain: options.explain });
}

/** Many downloads, for people: a line for each when it is over, and how all of them go meanwhile. */
export class ListReporter implements Reporter {
  readonly #options: ListReporterOptions;
  readonly #tally: ListTally;
  readonly #startedMs = performance.now();
  /** Of the files that are done. */
  #outputBytes = 0;

  constructor(options: ListReporterOptions) {
    this.#options = options;
    this.#tally = new ListTally(options.files);
  }

  daemonStarts(): void {
    this.#say(DAEMON_STARTS);
  }

  daemonEnds(): void {
    this.#say(DAEMON_ENDS);
  }

  begin({ url }: Target, index: number): TargetReporter {
    const { display, showProgress } = this.#options;
    const startedMs = performance.now();
    const end = (outcome: 'done' | 'failed'): void => {
      this.#tally.ended(index, outcome);
      display.show(this.#tally.progress);
    };
    return {
      onProgress: (progress) => {
        this.#tally.moved(index, progress);
        display.show(this.#tally.progress);
      },
      done: (result, output) => {
        this.#outputBytes += result.outputBytes;
        if (showProgress) display.line(`${printable(output)}: ${summarize(result, performance.now() - startedMs)}`);
        for (const line of this.#options.explain?.(result) ?? []) display.line(printable(line));
        end('done');
      },
      failed: ({ message, code }, _, interrupted) => {
        if (!interrupted) this.#say(`${naming(redactUrl(url), redactText(message))} [${code}]`);
        end('failed');
      },
    };
  }

  end({ files, failed, interrupted }: Parameters<Reporter['end']>[0]): void {
    this.#options.display.stop();
    if (interrupted) return this.#say(INTERRUPTED);
    if (failed > 0) this.#say(`${failed} of ${files} downloads failed`);
    const done = files - failed;
    if (!this.#options.showProgress || files < 2 || done === 0) return;
    const downloaded = { ...this.#tally.progress, outputBytes: this.#outputBytes };
    const total = summarize(downloaded, performance.now() - this.#startedMs);
    this.#options.display.line(`${counted(done, 'file')}: ${total}`);
  }

  #say(text: string): void {
    this.#options.display.line(`dfget: ${printableLines(text)}`);
  }
}

/** Most messages name the URL themselves. */
function naming(url: string, message: string): string {
  return message.includes(url) ? message : `${url}: ${message}`;
}
