import { redactText, redactUrl } from '../core/redact.js';
import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadResult } from './download-client.js';
import type { explain } from './explain.js';
import type { Progress } from './progress.js';
import { sourceSummary } from './progress-line.js';
import type { Reporter, TargetReporter } from './reporter.js';
import type { Target } from './url-list.js';

export interface HumanReporterOptions {
  stream: NodeJS.WritableStream;
  /** Without it only what went wrong is told, and what was asked for. */
  showProgress: boolean;
  /** Undefined: not asked for. */
  explain: typeof explain | undefined;
  /** Many downloads at once: a line for each when it is over. */
  many: boolean;
  createProgress: () => Progress;
}

/** Text on stderr: stdout may be the content. */
export class HumanReporter implements Reporter {
  readonly #options: HumanReporterOptions;

  constructor(options: HumanReporterOptions) {
    this.#options = options;
  }

  daemonStarts(): void {
    this.#say('no daemon is running, starting one in the background (it ends by itself when idle)');
  }

  begin({ url }: Target): TargetReporter {
    const startedMs = performance.now();
    const { many, showProgress, createProgress } = this.#options;
    const progress = many || !showProgress ? undefined : createProgress();
    return {
      onProgress: (each) => progress?.onProgress(each),
      done: (result, output) => {
        progress?.stop();
        if (showProgress || many) this.#line(summary(result, output, performance.now() - startedMs));
        for (const line of this.#options.explain?.(result) ?? []) this.#line(line);
      },
      failed: ({ message, code }, _, interrupted) => {
        progress?.stop();
        if (interrupted) return;
        this.#say(`${many ? `${redactUrl(url)}: ` : ''}${redactText(message)} [${code}]`);
      },
    };
  }

  end({ files, failed, interrupted }: Parameters<Reporter['end']>[0]): void {
    if (interrupted) this.#say('interrupted; run it again to go on from there');
    else if (this.#options.many && failed > 0) this.#say(`${failed} of ${files} downloads failed`);
  }

  #say(text: string): void {
    this.#line(`dfget: ${text}`);
  }

  #line(text: string): void {
    this.#options.stream.write(`${text}\n`);
  }
}

function summary(result: DownloadResult, output: string, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? `, ${formatBytes((result.bytes / elapsedMs) * 1000)}/s` : '';
  const sources = sourceSummary(result);
  return `${output}: ${formatBytes(result.bytes)} in ${formatDurationMs(elapsedMs)}${rate}${sources === '' ? '' : ` (${sources})`}`;
}
