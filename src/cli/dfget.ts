import { toDfpeerError } from '../core/errors.js';
import { DelayedProgress } from './delayed-progress.js';
import { DFGET_FLAGS } from './dfget-flags.js';
import { type DfgetOptions, type DfgetRequest, readDfgetRequest } from './dfget-options.js';
import type { FoundDaemon } from './daemon-connection.js';
import { EXIT_CODES, exitCodeOf } from './exit-codes.js';
import { Daemons } from './find-daemon.js';
import { getTarget, type GetContext } from './get-target.js';
import { HumanReporter } from './human-reporter.js';
import { Interruption } from './interruption.js';
import { type NetrcEntry, readNetrc } from './netrc.js';
import { readPlainCommandLine } from './plain-command-line.js';
import { print, surviveUnwritable } from './print.js';
import { PlainProgress } from './progress.js';
import { reportError } from './report-error.js';
import type { Reporter } from './reporter.js';
import type { Shell } from './shells.js';
import { INTERRUPTED } from './summary.js';
import type { Target } from './url-list.js';
import { findWorkingDirectory } from './working-directory.js';

// What few downloads need is loaded when it is needed: a small file takes less time than that.

/** dfget: URLs through the daemon into files. Resolves with the exit code. */
async function main(): Promise<number> {
  surviveUnwritable(process.stderr);
  const request = await readCommandLine(process.argv.slice(2));
  if (request.kind === 'run') return run(request.options);
  await print(request.kind === 'show' ? request.text : await completions(request.shell));
  return EXIT_CODES.ok;
}

async function readCommandLine(argv: readonly string[]): Promise<DfgetRequest | { kind: 'show'; text: string }> {
  const plain = readPlainCommandLine(argv, DFGET_FLAGS);
  if (plain !== undefined) return readDfgetRequest(plain, process.env, findWorkingDirectory);
  const [{ parseDfgetCommand }, version] = [await import('./dfget-program.js'), await ownVersion()];
  return parseDfgetCommand(argv, process.env, version);
}

async function completions(shell: Shell): Promise<string> {
  const { renderCompletions } = await import('./completions.js');
  const { createDfgetProgram } = await import('./dfget-program.js');
  return renderCompletions(createDfgetProgram(await ownVersion()), shell);
}

async function ownVersion(): Promise<string> {
  const { readVersion } = await import('./version.js');
  return readVersion();
}

async function run(options: DfgetOptions): Promise<number> {
  const interruption = new Interruption();
  const { signal } = interruption;
  const inputs = await readInputs(options, signal).catch((error: unknown) => {
    if (interruption.exitCode === undefined) throw error;
    return undefined;
  });
  if (inputs === undefined || interruption.exitCode !== undefined) {
    process.stderr.write(`dfget: ${INTERRUPTED}\n`);
    interruption.endProcess(process.stderr);
    return interruption.exitCode ?? EXIT_CODES.interrupted;
  }
  const { targets, netrc } = inputs;
  const reporter = await createReporter(options, targets.length);
  const context: Omit<GetContext, 'onProgress' | 'onDownloaded'> = {
    options,
    netrc,
    daemons: new Daemons({
      endpoint: options.endpoint,
      logLevel: options.logLevel,
      onStart: () => reporter.daemonStarts(),
      onFound: (daemon) => tellOfLog(options, daemon),
      onShutdown: () => reporter.daemonEnds(),
      signal,
    }),
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
  interruption.endProcess(reportStream(options));
  return exitCode;
}

async function tellOfLog(options: DfgetOptions, daemon: FoundDaemon): Promise<void> {
  if (options.json || (!options.console && options.logLevel === undefined)) return;
  const { logNote } = await import('./log-note.js');
  const note = logNote(options, daemon);
  if (note !== undefined) process.stderr.write(`dfget: ${note}\n`);
}

/** Never rejects: what went wrong with one says nothing of the others. */
async function getOne(
  target: Target,
  index: number,
  reporter: Reporter,
  context: Omit<GetContext, 'onProgress' | 'onDownloaded'>,
): Promise<number> {
  const report = reporter.begin(target, index);
  try {
    const { result, shown } = await getTarget(target, {
      ...context,
      onProgress: (each) => report.onProgress(each),
      onDownloaded: () => report.onDownloaded?.(),
    });
    report.done(result, shown);
    return EXIT_CODES.ok;
  } catch (thrown) {
    const error = toDfpeerError(thrown);
    const exitCode = exitCodeOf(error);
    report.failed(error, exitCode, context.signal.aborted);
    return exitCode;
  }
}

/** What is to be downloaded, and the netrc file if one was asked for. */
async function readInputs(
  options: DfgetOptions,
  signal: AbortSignal,
): Promise<{ targets: Target[]; netrc: NetrcEntry[] | undefined }> {
  const targets = await findTargets(options, signal);
  return { targets, netrc: options.netrc && (await readNetrc(options.netrc, process.env, signal)) };
}

async function findTargets({ source }: DfgetOptions, signal: AbortSignal): Promise<Target[]> {
  if (source.kind === 'url') return [{ url: source.url, output: source.output }];
  const { readTargets } = await import('./url-list.js');
  return readTargets(source, process.stdin, signal);
}

/** Events go to stdout, unless the content does. */
function reportStream(options: DfgetOptions): NodeJS.WriteStream {
  return options.json && !isContentForStdout(options) ? process.stdout : process.stderr;
}

function isContentForStdout({ source }: DfgetOptions): boolean {
  return source.kind === 'url' && source.output.kind === 'stdout';
}

async function createReporter(options: DfgetOptions, files: number): Promise<Reporter> {
  const { source, json, explain, showProgress } = options;
  if (json) {
    const { JsonReporter } = await import('./json-reporter.js');
    const stream = reportStream(options);
    surviveUnwritable(stream); // not of stdout in any case: to open it takes milliseconds
    return new JsonReporter(stream);
  }
  const { stderr: stream, env } = process;
  const color = (env.NO_COLOR ?? '') === '';
  const explaining = explain ? (await import('./explain.js')).explain : undefined;
  if (source.kind === 'list') {
    const { createListReporter } = await import('./list-reporter.js');
    return createListReporter({ stream, color, files, showProgress, explain: explaining });
  }
  return new HumanReporter({
    stream,
    showProgress,
    explain: explaining,
    createProgress: () => (stream.isTTY ? new DelayedProgress(stream, color) : new PlainProgress(stream)),
  });
}

// No await: the bundle is a CommonJS module, which loads faster.
void main()
  .catch((error: unknown) => reportError('dfget', error))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
