import { printable, printableLines } from '../core/printable.js';
import { redactText } from '../core/redact.js';
import type { explain } from './explain.js';
import type { Progress } from './progress.js';
import type { Reporter, TargetReporter } from './reporter.js';
import { DAEMON_ENDS, DAEMON_STARTS, INTERRUPTED, summarize } from './summary.js';

export interface HumanReporterOptions {
  stream: NodeJS.WritableStream;
  /** Without it only what went wrong is told. */
  showProgress: boolean;
  /** Undefined: not asked for. */
  explain: typeof explain | undefined;
  createProgress: () => Progress;
}

/** One download, for people: text on stderr, as stdout may be the content. */
export class HumanReporter implements Reporter {
  readonly #options: HumanReporterOptions;

  constructor(options: HumanReporterOptions) {
    this.#options = options;
  }

  daemonStarts(): void {
    this.#say(DAEMON_STARTS);
  }

  daemonEnds(): void {
    this.#say(DAEMON_ENDS);
  }

  begin(): TargetReporter {
    const startedMs = performance.now();
    const { showProgress, createProgress } = this.#options;
    let progress = showProgress ? createProgress() : undefined;
    const stopProgress = (): void => {
      progress?.stop();
      progress = undefined;
    };
    return {
      onProgress: (each) => progress?.onProgress(each),
      onDownloaded: stopProgress,
      done: (result, output) => {
        stopProgress();
        if (showProgress) this.#line(`${printable(output)}: ${summarize(result, performance.now() - startedMs)}`);
        for (const line of this.#options.explain?.(result) ?? []) this.#line(printable(line));
      },
      failed: ({ message, code }, _, interrupted) => {
        stopProgress();
        if (interrupted) return;
        this.#say(`${redactText(message)} [${code}]`);
      },
    };
  }

  end({ interrupted }: Parameters<Reporter['end']>[0]): void {
    if (interrupted) this.#say(INTERRUPTED);
  }

  #say(text: string): void {
    this.#line(`dfget: ${text}`);
  }

  #line(text: string): void {
    this.#options.stream.write(`${printableLines(text)}\n`);
  }
}
