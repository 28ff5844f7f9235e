import { Command, Option } from 'commander';
import { LOG_LEVELS } from '../core/log-level.js';
import { UsageError } from '../core/errors.js';
import { collect } from './arguments.js';
import { DFGET_HELP_END } from './dfget-help.js';
import { SHELLS } from './shells.js';

/** Flags of Dragonfly's dfget for sources and directories that dfpeer does not serve. */
const FOREIGN_FLAGS: readonly string[] = [
  ...[
    'region <v>',
    'endpoint <v>',
    'access-key-id <v>',
    'access-key-secret <v>',
    'security-token <v>',
    'insecure-skip-verify',
    'session-token <v>',
    'credential-path <v>',
    'predefined-acl <v>',
  ].map((flag) => `--storage-${flag}`),
  '--hdfs-delegation-token <v>',
  ...['hf', 'ms', 'csg'].flatMap((hub) => ['revision', 'token', 'base-url'].map((name) => `--${hub}-${name} <v>`)),
  '-r, --recursive',
  '-I, --include-files <v>',
  '--max-files <n>',
  '--max-concurrent-requests <n>',
];

const foreignOptions = FOREIGN_FLAGS.map((flag) => new Option(flag).hideHelp());

/** Flags with the names of Dragonfly's dfget; each is also the variable DFGET_ and its name. */
export function createDfgetProgram(version: string): Command {
  const program = new Command('dfget')
    .description('Downloads a URL through the peers of a cluster.')
    .version(`dfget ${version}`, '-V, --version')
    .argument('[URL]', 'http:// or https://')
    .allowExcessArguments(false)
    .addHelpText('after', DFGET_HELP_END);
  addOutputFlags(program);
  addRequestFlags(program);
  addTaskFlags(program);
  addReportFlags(program);
  for (const option of foreignOptions) program.addOption(option);
  return program;
}

function addOutputFlags(program: Command): void {
  program
    .option('-O, --output <file>', 'where to write; - is stdout (default: the last part of the URL)')
    .option('-i, --input-file <file>', 'download the URLs of this file, one a line; - is stdin')
    .option('-j, --jobs <n>', 'with -i: downloads at the same time (default: 4)')
    .option('--overwrite', 'replace the output file if it exists')
    .option('--digest <digest>', 'sha256:HEX, sha512:HEX or crc32:NUMBER that the content must have')
    .option('--force-hard-link', 'fail rather than copy when the output can’t be a hard link')
    .option('--no-hard-link', 'for an output that is going to be edited in place: never a hard link')
    .option('--transfer-from-dfdaemon', 'the bytes come through the socket; dfget writes the file');
}

function addRequestFlags(program: Command): void {
  program
    .option('--range <range>', 'part of the content: 0-99, 100- or -500')
    .option('-H, --header <"name: value">', 'header of the requests to the origin; repeatable', collect)
    .option('-n, --netrc', 'user and password of the origin’s host from ~/.netrc')
    .option('--netrc-file <file>', 'the same from this file')
    .option('--netrc-optional', 'the same if there is one, and what the URL says comes first')
    .option('--timeout <duration>', 'for the whole download (default: 2h)')
    .option('--ratelimit <size>', 'bytes per second, such as 10MiB');
}

function addTaskFlags(program: Command): void {
  program
    .option('-e, --endpoint <socket>', 'unix socket of the daemon; without it one is found or started')
    .option('--tag <tag>', 'tells tasks with the same URL apart')
    .option('--application <name>', 'tells tasks with the same URL apart; shown in metrics')
    .option('-p, --priority <0-6>', 'as the scheduler understands it (default: 6)')
    .option('--piece-length <size>', '4MiB to 64MiB (default: derived from the length)')
    .option(
      '--filtered-query-param <name>',
      'query parameter that does not tell tasks apart; repeatable (default: those that sign URLs)',
      collect,
    )
    .option('--content-for-calculating-task-id <text>', 'the task id is made of this instead of the URL')
    .option('--disable-back-to-source', 'from peers only, never from the origin');
}

function addReportFlags(program: Command): void {
  program
    .option('--explain', 'tell afterwards where each byte came from, why, and how fast')
    .option('--json', 'one JSON line per event on stdout (on stderr with -O -) instead of text')
    .option('--no-progress', 'show no progress')
    .option('-l, --log-level <level>', `one of ${LOG_LEVELS.join(', ')} (default: info)`)
    .option('--console', 'log to stderr')
    .option('--completions <shell>', `print completions for ${SHELLS.join(', ')}`);
}

/** @throws UsageError naming the first flag that has no meaning here */
export function refuseForeignFlags(values: Readonly<Record<string, unknown>>): void {
  const given = foreignOptions.find((option) => values[option.attributeName()] !== undefined);
  if (given === undefined) return;
  throw new UsageError(
    `${given.long ?? given.flags} is not supported: dfget downloads single files over http and https only`,
  );
}
