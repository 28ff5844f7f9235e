import { Command, Option } from 'commander';
import type { DaemonOverrides } from '../config/daemon-config.js';
import { LOG_LEVELS } from '../config/key-kinds.js';
import type { Environment } from '../core/environment.js';
import { parseByteSize, parseDurationMs } from '../core/units.js';
import { UsageError } from '../core/errors.js';
import { formatHostPort, parseHostPort } from '../core/host-port.js';
import { renderCompletions } from './completions.js';
import { SHELLS } from './shells.js';
import { createCommands, readCommand, type DfdaemonCommand } from './dfdaemon-commands.js';
import { FlagReader, type Parsed, parseInteger, parseWord, readValue } from './arguments.js';
import { collect, parseCommandLine } from './commander-command-line.js';

export const DEFAULT_LOG_MAX_FILES = 6;
export const MAX_LOG_FILES = 1000;
export const DEFAULT_LOG_MAX_FILE_SIZE = '1GiB';
/** Smaller files would rotate at every few lines. */
export const MIN_LOG_FILE_SIZE_BYTES = 4096;

/** Flags with the names, defaults and variables (DFDAEMON_…) of Dragonfly's dfdaemon, and --scheduler. */
export function createDfdaemonProgram(version: string): Command {
  const program = new Command('dfdaemon')
    .description('A peer of a Dragonfly cluster: downloads pieces from peers and origins, and serves them to others.')
    .version(`dfdaemon ${version}`, '-V, --version')
    .allowExcessArguments(true) // to say which command there isn't
    .helpCommand('help [command]', 'Show the help of a command.')
    .option('-c, --config <file>', "configuration file (default: /etc/dragonfly/dfdaemon.yaml or the user's, if there)")
    .option('--dynconfig <file>', 'file with the schedulers to join, read again as it changes')
    .option('--scheduler <host:port>', 'scheduler to join; repeatable. Without any, one runs in this process', collect)
    .option('-l, --log-level <level>', `one of ${LOG_LEVELS.join(', ')} (default: info)`)
    .option('--log-dir <dir>', "where log files go (default: /var/log/dragonfly/dfdaemon or the user's)")
    .option('--log-max-files <n>', `log files to keep (default: ${DEFAULT_LOG_MAX_FILES})`)
    .option('--log-max-file-size <size>', `size at which a log file is rotated (default: ${DEFAULT_LOG_MAX_FILE_SIZE})`)
    .option('--console', 'log to stdout instead of files')
    .option('--completions <shell>', `print completions for ${SHELLS.join(', ')}`)
    .addOption(new Option('--alive-time <duration>', 'end after so long without work').hideHelp())
    .addOption(new Option('--loopback', 'listen on 127.0.0.1 only; use a free port where one is taken').hideHelp())
    .action((_, { args: [name] }: Command) => {
      if (name !== undefined) throw unknownCommand(program, name);
    });
  for (const command of createCommands()) program.addCommand(command);
  return program;
}

function unknownCommand({ commands }: Command, name: string): UsageError {
  const known = commands.map((each) => each.name()).join(', ');
  return new UsageError(
    `unknown command ${JSON.stringify(name)}; give one of ${known}, or none to run the daemon; see dfdaemon --help`,
  );
}

/**
 * @param argv without the program's own two entries
 * @throws UsageError (exit code 2) naming the flag or the variable
 */
export function parseDfdaemonCommand(
  argv: readonly string[],
  env: Environment,
  version: string,
): Parsed<DfdaemonCommand> {
  const program = createDfdaemonProgram(version);
  let chosen = program;
  for (const command of program.commands) command.action(() => void (chosen = command));
  const shown = parseCommandLine(program, argv);
  if (shown !== undefined) return { kind: 'show', text: shown.show };
  const flags = new FlagReader(chosen.optsWithGlobals(), env, 'DFDAEMON');
  const shell = readValue(flags.text('completions'), (text) => parseWord(text, SHELLS));
  if (shell !== undefined) return { kind: 'show', text: renderCompletions(program, shell) };
  return { kind: 'run', options: readCommand(chosen.name(), readDaemonOverrides(flags), flags) };
}

function readDaemonOverrides(flags: FlagReader): DaemonOverrides {
  return {
    configFile: flags.text('config')?.text,
    dynconfigFile: flags.text('dynconfig')?.text,
    schedulers: flags.list('scheduler').flatMap((raw) => readValue(raw, parseScheduler) ?? []),
    aliveTimeMs: readValue(flags.text('alive-time'), parseDurationMs),
    isLoopbackOnly: flags.isSet('loopback'),
    logLevel: readValue(flags.text('log-level'), (text) => parseWord(text, LOG_LEVELS)) ?? 'info',
    logDir: flags.text('log-dir')?.text,
    logMaxFiles:
      readValue(flags.text('log-max-files'), (text) => parseInteger(text, 1, MAX_LOG_FILES)) ?? DEFAULT_LOG_MAX_FILES,
    logMaxFileSizeBytes:
      readValue(flags.text('log-max-file-size'), parseLogFileSize) ?? parseLogFileSize(DEFAULT_LOG_MAX_FILE_SIZE),
    console: flags.isSet('console'),
  };
}

function parseScheduler(text: string): string {
  const { host, port } = parseHostPort(text, 'a scheduler');
  return formatHostPort(host, port);
}

function parseLogFileSize(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes >= MIN_LOG_FILE_SIZE_BYTES) return bytes;
  throw new UsageError(`expected at least ${MIN_LOG_FILE_SIZE_BYTES} bytes, found ${JSON.stringify(text)}`);
}
