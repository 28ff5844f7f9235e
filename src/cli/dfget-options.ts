import { resolve } from 'node:path';
import { LOG_LEVELS, type LogLevel } from '../config/key-kinds.js';
import { checkSocketPath, type Environment } from '../config/places.js';
import { UsageError } from '../core/errors.js';
import { MAX_PIECE_LENGTH, MIN_PIECE_LENGTH } from '../core/piece.js';
import { parseTaskDigest, type TaskDigest } from '../core/task-digest.js';
import { DEFAULT_FILTERED_QUERY_PARAMS } from '../core/task-id.js';
import { formatBytes, parseByteRate, parseByteSize, parseDurationMs } from '../core/units.js';
import { FlagReader, parseCommandLine, type Parsed, parseInteger, parseWord, readValue } from './arguments.js';
import { createDfgetProgram, refuseForeignFlags } from './dfget-flags.js';
import { parseHeaders, parseRange } from './http-flags.js';
import { nameFromUrl, parseSourceUrl } from './source-url.js';

export const DEFAULT_TIMEOUT_MS = 2 * 60 * 60 * 1000;
/** Dragonfly's lowest number is its highest priority; schedulers treat 6 as "no special treatment". */
export const DEFAULT_PRIORITY = 6;

/** What dfget was asked to do: checked, absolute, in bytes and milliseconds. */
export interface DfgetOptions {
  url: string;
  output: { kind: 'file'; path: string } | { kind: 'stdout' };
  /** Socket of the daemon, when named: then no daemon is started. */
  endpoint: string | undefined;
  overwrite: boolean;
  digest: TaskDigest | undefined;
  timeoutMs: number;
  requestHeader: Readonly<Record<string, string>>;
  tag: string;
  application: string;
  /** 0 to 6 */
  priority: number;
  /** Bytes; undefined: derived from the length. */
  pieceLength: number | undefined;
  filteredQueryParams: readonly string[];
  disableBackToSource: boolean;
  forceHardLink: boolean;
  contentForCalculatingTaskId: string | undefined;
  /** The bytes come through the socket, for a daemon that can't write to the output's directory. */
  transferFromDfdaemon: boolean;
  rateLimitBytesPerSecond: number | undefined;
  /** The value of a Range header: `bytes=0-99`. */
  range: string | undefined;
  showProgress: boolean;
  logLevel: LogLevel;
  console: boolean;
}

/**
 * @param argv without the program's own two entries
 * @throws UsageError (exit code 2) naming the flag or the variable
 */
export function parseDfgetOptions(
  argv: readonly string[],
  env: Environment,
  version: string,
  workingDirectory: string = process.cwd(),
): Parsed<DfgetOptions> {
  const program = createDfgetProgram(version);
  const shown = parseCommandLine(program, argv);
  if (shown !== undefined) return { kind: 'show', text: shown.show };
  refuseForeignFlags(program.opts());
  const [url] = program.args;
  if (url === undefined) throw new UsageError('no URL given; write dfget URL -O FILE, or see dfget --help');
  const flags = new FlagReader(program.opts(), env, 'DFGET');
  const options = readOptions(flags, parseSourceUrl(url), workingDirectory);
  refuseContradictions(options);
  return { kind: 'run', options };
}

function readOptions(flags: FlagReader, url: string, workingDirectory: string): DfgetOptions {
  const filteredQueryParams = flags.list('filtered-query-param').map(({ text }) => text);
  return {
    url,
    output: readOutput(flags.text('output')?.text, url, workingDirectory),
    endpoint: readValue(flags.text('endpoint'), (text) =>
      checkSocketPath(resolve(workingDirectory, text), 'the socket'),
    ),
    overwrite: flags.isSet('overwrite'),
    digest: readValue(flags.text('digest'), parseTaskDigest),
    timeoutMs: readValue(flags.text('timeout'), parseTimeout) ?? DEFAULT_TIMEOUT_MS,
    requestHeader: parseHeaders(flags.list('header')),
    tag: flags.text('tag')?.text ?? '',
    application: flags.text('application')?.text ?? '',
    priority: readValue(flags.text('priority'), (text) => parseInteger(text, 0, 6)) ?? DEFAULT_PRIORITY,
    pieceLength: readValue(flags.text('piece-length'), parsePieceLength),
    filteredQueryParams: filteredQueryParams.length > 0 ? filteredQueryParams : DEFAULT_FILTERED_QUERY_PARAMS,
    disableBackToSource: flags.isSet('disable-back-to-source'),
    forceHardLink: flags.isSet('force-hard-link'),
    contentForCalculatingTaskId: flags.text('content-for-calculating-task-id')?.text,
    transferFromDfdaemon: flags.isSet('transfer-from-dfdaemon'),
    rateLimitBytesPerSecond: readValue(flags.text('ratelimit'), parseRateLimit),
    range: readValue(flags.text('range'), parseRange),
    showProgress: !flags.isSet('no-progress'),
    logLevel: readValue(flags.text('log-level'), (text) => parseWord(text, LOG_LEVELS)) ?? 'info',
    console: flags.isSet('console'),
  };
}

function readOutput(output: string | undefined, url: string, workingDirectory: string): DfgetOptions['output'] {
  if (output === '-') return { kind: 'stdout' };
  return { kind: 'file', path: resolve(workingDirectory, output ?? nameFromUrl(url)) };
}

function parseTimeout(text: string): number {
  const timeoutMs = parseDurationMs(text);
  if (timeoutMs >= 1) return timeoutMs;
  throw new UsageError('a download can’t be done in no time; give a duration such as 30s or 2h');
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
  const { output, forceHardLink, transferFromDfdaemon, range, requestHeader } = options;
  if (forceHardLink && output.kind === 'stdout')
    throw new UsageError('--force-hard-link needs a file: give -O FILE instead of -O -');
  if (forceHardLink && transferFromDfdaemon)
    throw new UsageError('--force-hard-link and --transfer-from-dfdaemon exclude each other; drop one');
  if (forceHardLink && range !== undefined)
    throw new UsageError('--force-hard-link gives the whole task; drop it or --range');
  if (range !== undefined && Object.keys(requestHeader).some((name) => name.toLowerCase() === 'range'))
    throw new UsageError('--range and a Range header contradict each other; drop one');
}
