import { Command, Option } from 'commander';
import type { Environment } from '../core/environment.js';
import { UsageError } from '../core/errors.js';
import { collect, parseCommandLine } from './commander-command-line.js';
import { DFGET_FLAGS } from './dfget-flags.js';
import { DFGET_HELP_END } from './dfget-help.js';
import { type DfgetRequest, readDfgetRequest } from './dfget-options.js';
import { findWorkingDirectory } from './working-directory.js';

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

/** dfget as commander knows it: for help, for completions, and for saying what is wrong with a command line. */
export function createDfgetProgram(version: string): Command {
  const program = new Command('dfget')
    .description('Downloads a URL through the peers of a cluster.')
    .version(`dfget ${version}`, '-V, --version')
    .argument('[URL]', 'http:// or https://')
    .allowExcessArguments(true) // to say what several URLs are given with
    // Beside the longest flag 80 columns leave less than commander deems worth it.
    .configureHelp({ minWidthToWrap: 30 })
    .addHelpText('after', DFGET_HELP_END);
  for (const { flags, help, isRepeatable = false } of DFGET_FLAGS)
    if (isRepeatable) program.option(flags, help, collect);
    else program.option(flags, help);
  for (const option of foreignOptions) program.addOption(option);
  return program;
}

/**
 * @param argv without the program's own two entries
 * @throws UsageError (exit code 2) naming the flag or the variable
 */
export function parseDfgetCommand(
  argv: readonly string[],
  env: Environment,
  version: string,
  workingDirectory: () => string = findWorkingDirectory,
): DfgetRequest | { kind: 'show'; text: string } {
  const program = createDfgetProgram(version);
  const shown = parseCommandLine(program, argv);
  if (shown !== undefined) return { kind: 'show', text: shown.show };
  refuseForeignFlags(program.opts());
  refuseSecondUrl(program.args);
  return readDfgetRequest({ values: program.opts(), positionals: program.args }, env, workingDirectory);
}

/** As curl and wget would take it: several URLs, or the output without -O. */
function refuseSecondUrl([, second]: readonly string[]): void {
  if (second === undefined) return;
  throw new UsageError(
    `one URL is taken, and ${JSON.stringify(second)} is one more; give an output with -O, several URLs with --input-file`,
  );
}

/** @throws UsageError naming the first flag that has no meaning here */
function refuseForeignFlags(values: Readonly<Record<string, unknown>>): void {
  const given = foreignOptions.find((option) => values[option.attributeName()] !== undefined);
  if (given === undefined) return;
  throw new UsageError(
    `${given.long ?? given.flags} is not supported: dfget downloads single files over http and https only`,
  );
}
