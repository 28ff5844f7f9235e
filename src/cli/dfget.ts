import { toDfpeerError } from '../core/errors.js';
import { DelayedProgress } from './delayed-progress.js';
import { type DfgetOptions, parseDfgetOptions } from './dfget-options.js';
import { EXIT_CODES, exitCodeOf } from './exit-codes.js';
import { findDaemon } from './find-daemon.js';
import { getTarget, type GetContext } from './get-target.js';
import { HumanReporter } from './human-reporter.js';
import { Interruption } from './interruption.js';
import { PlainProgress } from './progress.js';
import { reportError } from './report-error.js';
import type { Reporter } from './reporter.js';
import type { Target } from './url-list.js';
import { readVersion } from './version.js';

/** dfget: URLs through the daemon into files. Resolves with the exit code. */
async function main(): Promise<number> {
  const parsed = parseDfgetOptions(process.argv.slice(2), process.env, readVersion());
  if (parsed.kind === 'run') return run(parsed.options);
  process.stdout.write(parsed.kind === 'show' ? parsed.text : await completions(parsed.shell));
  return EXIT_CODES.ok;
}

// What few downloads need is loaded when it is needed: a small file takes less time than that.
async function completions(shell: Parameters<typeof import('./completions.js').renderCompletions>[1]): Promise<string> {
  const { renderCompletions } = await import('./completions.js');
  const { createDfgetProgram } = await import('./dfget-flags.js');
  return renderCompletions(createDfgetProgram(readVersion()), shell);
}

async function run(options: DfgetOptions): Promise<number> {
  const interruption = new Interruption();
  const { signal } = interruption;
  const targets = await findTargets(options);
  const { netrc } = options;
  const entries = netrc && (await (await import('./netrc.js')).readNetrc(netrc, process.env));
  const reporter = await createReporter(options);
  let socketPath: Promise<string> | undefined;
  const context: Omit<GetContext, 'onProgress'> = {
    options,
    netrc: entries,
    socketPath: () => (socketPath ??= findDaemon(options.endpoint, { onStart: () => reporter.daemonStarts(), signal })),
    signal,
  };
  const exitCodes: number[] = [];
  const jobs = options.source.kind === 'list' ? options.source.jobs : 1;
  const queue = targets.entries();
  const work = async (): Promise<void> => {
    for (const [index, target] of queue)
      if (!signal.aborted) exitCodes.push(await getOne(target, index, reporter, context));
  };
  await Promise.all(Array.from({ length: Math.min(jobs, targets.length) }, work));
  const exitCode = interruption.exitCode ?? Math.max(...exitCodes);
  const failed = exitCodes.filter((code) => code !== EXIT_CODES.ok).length;
  reporter.end({ files: targets.length, failed, exitCode, interrupted: interruption.exitCode !== undefined });
  return exitCode;
}

/** Never rejects: what went wrong with one says nothing of the others. */
async function getOne(
  target: Target,
  index: number,
  reporter: Reporter,
  context: Omit<GetContext, 'onProgress'>,
): Promise<number> {
  const report = reporter.begin(target, index);
  try {
    const { result, shown } = await getTarget(target, { ...context, onProgress: (each) => report.onProgress(each) });
    report.done(result, shown);
    return EXIT_CODES.ok;
  } catch (thrown) {
    const error = toDfpeerError(thrown);
    const exitCode = exitCodeOf(error);
    report.failed(error, exitCode, context.signal.aborted);
    return exitCode;
  }
}

async function findTargets({ source }: DfgetOptions): Promise<Target[]> {
  if (source.kind === 'url') return [{ url: source.url, output: source.output }];
  const { readTargets } = await import('./url-list.js');
  return readTargets(source, process.stdin);
}

async function createReporter(options: DfgetOptions): Promise<Reporter> {
  const { source, json, explain, showProgress } = options;
  const isStdoutTaken = source.kind === 'url' && source.output.kind === 'stdout';
  if (json) {
    const { JsonReporter } = await import('./json-reporter.js');
    return new JsonReporter(isStdoutTaken ? process.stderr : process.stdout);
  }
  const { stderr: stream, env } = process;
  return new HumanReporter({
    stream,
    showProgress,
    explain: explain ? (await import('./explain.js')).explain : undefined,
    many: source.kind === 'list',
    createProgress: () =>
      stream.isTTY ? new DelayedProgress(stream, (env.NO_COLOR ?? '') === '') : new PlainProgress(stream),
  });
}

process.exitCode = await main().catch((error: unknown) => reportError('dfget', error));
