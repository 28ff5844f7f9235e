import { isAbsolute, join, resolve } from 'node:path';
import { checkSocketPath } from '../config/places.js';
import type { Environment } from '../core/environment.js';
import { UsageError } from '../core/errors.js';
import { LOG_LEVELS, type LogLevel } from '../core/log-level.js';
import { MAX_PIECE_LENGTH, MIN_PIECE_LENGTH } from '../core/piece.js';
import { DEFAULT_PRIORITY } from '../core/priority.js';
import { parseTaskDigest, type TaskDigest } from '../core/task-digest.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from '../core/signing-query-params.js';
import { formatBytes, parseByteRate, parseByteSize, parseDurationMs } from '../core/units.js';
import { FlagReader, parseInteger, parseWord, readValue } from './arguments.js';
import { parseHeaders, parseRange } from './http-flags.js';
import type { CommandLine } from './plain-command-line.js';
import { type Shell, SHELLS } from './shells.js';
import { nameFromUrl, parseSourceUrl } from './source-url.js';

export const DEFAULT_TIMEOUT_MS = 2 * 60 * 60 * 1000;
export const DEFAULT_JOBS = 4;
/** `--jobs`; a daemon downloads more tasks at once, but a list gains nothing from it. */
export const MAX_JOBS = 64;

/** Made absolute, it would lose what says so. */
const NAMES_A_DIRECTORY = /(^|\/)\.{0,2}$/;

/** Where one download goes; absolute. */
export type Output = { kind: 'file'; path: string } | { kind: 'stdout' };

/** What is to be downloaded. */
export type Source =
  | { kind: 'url'; url: string; output: Output }
  /** `path` undefined: stdin. The files go into `directory`, absolute. */
  | { kind: 'list'; path: string | undefined; directory: string; jobs: number };

/** Where user and password of an origin may come from, as curl has it. */
export interface NetrcOptions {
  /** Undefined: that of the user's home. */
  path: string | undefined;
  /** It may be missing, and credentials in the URL win over it. */
  optional: boolean;
}

/** What dfget was asked to do: checked, absolute, in bytes and milliseconds. */
export interface DfgetOptions {
  source: Source;
  /** Socket of the daemon, when named: then no daemon is started. */
  endpoint: string | undefined;
  overwrite: boolean;
  digest: TaskDigest | undefined;
  timeoutMs: number;
  requestHeader: Readonly<Record<string, string>>;
  netrc: NetrcOptions | undefined;
  tag: string;
  application: string;
  /** 0 to 6 */
  priority: number;
  /** Bytes; undefined: derived from the length. */
  pieceLength: number | undefined;
  filteredQueryParams: readonly string[];
  disableBackToSource: boolean;
  forceHardLink: boolean;
  /** The output shares no inode with the daemon's store. */
  noHardLink: boolean;
  contentForCalculatingTaskId: string | undefined;
  /** The bytes come through the socket, for a daemon that can't write to the output's directory. */
  transferFromDfdaemon: boolean;
  rateLimitBytesPerSecond: number | undefined;
  /** The value of a Range header: `bytes=0-99`. */
  range: string | undefined;
  explain: boolean;
  json: boolean;
  showProgress: boolean;
  /** Of a daemon that has to be started. */
  logLevel: LogLevel | undefined;
  /** Asks for a log that dfget doesn't keep. */
  console: boolean;
}

/** What is to be done; completions are made by a module of their own. */
export type DfgetRequest = { kind: 'run'; options: DfgetOptions } | { kind: 'completions'; shell: Shell };

/**
 * Checks the values of a command line, and of the environment behind it.
 * @throws UsageError (exit code 2) naming the flag or the variable
 */
export function readDfgetRequest(
  { values, positionals }: CommandLine,
  env: Environment,
  workingDirectory: () => string,
): DfgetRequest {
  const flags = new FlagReader(values, env, 'DFGET');
  const shell = readValue(flags.text('completions'), (text) => parseWord(text, SHELLS));
  if (shell !== undefined) return { kind: 'completions', shell };
  const options = readOptions(flags, readSource(flags, positionals[0], workingDirectory), workingDirectory);
  refuseContradictions(options);
  return { kind: 'run', options };
}

function readOptions(flags: FlagReader, source: Source, workingDirectory: () => string): DfgetOptions {
  const filteredQueryParams = flags.list('filtered-query-param').map(({ text }) => text);
  return {
    source,
    endpoint: readValue(flags.text('endpoint'), (text) =>
      checkSocketPath(absolute(workingDirectory, text), 'the socket'),
    ),
    overwrite: flags.isSet('overwrite'),
    digest: readValue(flags.text('digest'), parseTaskDigest),
    timeoutMs: readValue(flags.text('timeout'), parseTimeout) ?? DEFAULT_TIMEOUT_MS,
    requestHeader: parseHeaders(flags.list('header')),
    netrc: readNetrc(flags, workingDirectory),
    tag: flags.text('tag')?.text ?? '',
    application: flags.text('application')?.text ?? '',
    priority: readValue(flags.text('priority'), (text) => parseInteger(text, 0, 6)) ?? DEFAULT_PRIORITY,
    pieceLength: readValue(flags.text('piece-length'), parsePieceLength),
    filteredQueryParams: filteredQueryParams.length > 0 ? filteredQueryParams : DEFAULT_FILTERED_QUERY_PARAMS,
    disableBackToSource: flags.isSet('disable-back-to-source'),
    forceHardLink: flags.isSet('force-hard-link'),
    noHardLink: flags.isSet('no-hard-link'),
    contentForCalculatingTaskId: flags.text('content-for-calculating-task-id')?.text,
    transferFromDfdaemon: flags.isSet('transfer-from-dfdaemon'),
    rateLimitBytesPerSecond: readValue(flags.text('ratelimit'), parseRateLimit),
    range: readValue(flags.text('range'), parseRange),
    explain: flags.isSet('explain'),
    json: flags.isSet('json'),
    showProgress: !flags.isSet('no-progress'),
    logLevel: readValue(flags.text('log-level'), (text) => parseWord(text, LOG_LEVELS)),
    console: flags.isSet('console'),
  };
}

function readSource(flags: FlagReader, url: string | undefined, workingDirectory: () => string): Source {
  const [list, output] = [flags.text('input-file')?.text, flags.text('output')?.text];
  const jobs = readValue(flags.text('jobs'), (text) => parseInteger(text, 1, MAX_JOBS));
  if (list === undefined) {
    if (url === undefined) throw new UsageError('no URL given; write dfget URL -O FILE, or see dfget --help');
    if (jobs !== undefined) throw new UsageError('--jobs is for the URLs of --input-file; drop it');
    return { kind: 'url', url: parseSourceUrl(url), output: readOutput(output, url, workingDirectory) };
  }
  if (url !== undefined) throw new UsageError('give either a URL or --input-file, not both');
  if (output === '-') throw new UsageError('-O - takes one URL only; with --input-file, -O names a directory');
  return {
    kind: 'list',
    path: list === '-' ? undefined : absolute(workingDirectory, list),
    directory: absolute(workingDirectory, output ?? '.'),
    jobs: jobs ?? DEFAULT_JOBS,
  };
}

function readOutput(output: string | undefined, url: string, workingDirectory: () => string): Output {
  if (output === '-') return { kind: 'stdout' };
  if (output === '') throw new UsageError('-O is empty; give a file name, or leave it out for that of the URL');
  if (output !== undefined && NAMES_A_DIRECTORY.test(output))
    throw new UsageError(`-O ${output} names a directory; give a file name, such as ${join(output, 'file')}`);
  return { kind: 'file', path: absolute(workingDirectory, output ?? nameFromUrl(url)) };
}

/** The working directory is asked for only where a path needs it: it may be gone. */
function absolute(workingDirectory: () => string, path: string): string {
  return isAbsolute(path) ? resolve(path) : resolve(workingDirectory(), path);
}

function readNetrc(flags: FlagReader, workingDirectory: () => string): NetrcOptions | undefined {
  const file = flags.text('netrc-file')?.text;
  const optional = flags.isSet('netrc-optional');
  if (file === undefined && !optional && !flags.isSet('netrc')) return undefined;
  return { path: file === undefined ? undefined : absolute(workingDirectory, file), optional };
}

function parseTimeout(text: string): number {
  const timeoutMs = parseDurationMs(text);
  if (timeoutMs >= 1) return timeoutMs;
  throw new UsageError("a download can't be done in no time; give a duration such as 30s or 2h");
}

function parsePieceLength(text: string): number {
  const length = parseByteSize(text);
  if (length >= MIN_PIECE_LENGTH && length <= MAX_PIECE_LENGTH) return length;
  const [least, most] = [formatBytes(MIN_PIECE_LENGTH), formatBytes(MAX_PIECE_LENGTH)];
  throw new UsageError(`expected ${least} to ${most}, found ${JSON.stringify(text)}`);
}

function parseRateLimit(text: string): number {
  const limit = parseByteRate(text);
  if (limit >= 1) return limit;
  throw new UsageError('expected more than 0 bytes per second, such as 500KiB or 10MiB');
}

function refuseContradictions(options: DfgetOptions): void {
  const { source, forceHardLink, noHardLink, transferFromDfdaemon, range, requestHeader, digest } = options;
  if (forceHardLink && source.kind === 'url' && source.output.kind === 'stdout')
    throw new UsageError('--force-hard-link needs a file: give -O FILE instead of -O -');
  if (forceHardLink && noHardLink)
    throw new UsageError('--force-hard-link and --no-hard-link contradict each other; drop one');
  if (forceHardLink && transferFromDfdaemon)
    throw new UsageError('--force-hard-link and --transfer-from-dfdaemon exclude each other; drop one');
  if (forceHardLink && range !== undefined)
    throw new UsageError('--force-hard-link gives the whole task; drop it or --range');
  if (range !== undefined && Object.keys(requestHeader).some((name) => name.toLowerCase() === 'range'))
    throw new UsageError('--range and a Range header contradict each other; drop one');
  if (source.kind !== 'list') return;
  if (digest !== undefined) throw new UsageError("--digest is of one content; it can't go with --input-file");
  if (options.contentForCalculatingTaskId !== undefined)
    throw new UsageError("--content-for-calculating-task-id names one task; it can't go with --input-file");
}
