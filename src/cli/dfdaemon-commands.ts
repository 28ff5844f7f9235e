import { Command, Option } from 'commander';
import type { DaemonOverrides } from '../config/daemon-config.js';
import { UsageError } from '../core/errors.js';
import { parseByteRate } from '../core/units.js';
import type { LimitName } from '../peer/limits-in-force.js';
import { type FlagReader, type RawValue, readValue } from './arguments.js';

/** What all commands that talk to a running daemon take. */
export interface ClientOptions {
  overrides: DaemonOverrides;
  /** The daemon's socket; undefined: where the configuration has it. */
  socketPath: string | undefined;
  json: boolean;
}

/** Bytes per second; 0 takes a limit away. */
export type LimitChanges = Partial<Record<LimitName, number>>;

export type DfdaemonCommand =
  | { name: 'run'; overrides: DaemonOverrides }
  | { name: 'doctor'; overrides: DaemonOverrides; json: boolean; outputDirectory: string | undefined }
  /** `remove`: how the id of the task starts that is to go. */
  | ({ name: 'tasks'; remove: string | undefined } & ClientOptions)
  | ({ name: 'peers' } & ClientOptions)
  | ({ name: 'limits'; changes: LimitChanges } & ClientOptions);

const LIMIT_FLAGS: Readonly<Record<LimitName, string>> = {
  upload: 'upload',
  uploadPerTask: 'upload-per-task',
  uploadPerChild: 'upload-per-child',
  download: 'download',
  backToSource: 'back-to-source',
};

/** The commands beside running the daemon. All flags of dfdaemon go with them: -c says which daemon is meant. */
export function createCommands(): Command[] {
  const limits = asking('limits', 'Show the limits in force, or change them until the configuration is read again.');
  const whose: Readonly<Record<LimitName, string>> = {
    upload: 'all uploads together',
    uploadPerTask: 'the uploads of one task',
    uploadPerChild: 'the uploads to one IP',
    download: 'all downloads together',
    backToSource: 'downloads from origins',
  };
  for (const [name, flag] of Object.entries(LIMIT_FLAGS))
    limits.option(`--${flag} <rate>`, `limit of ${whose[name as LimitName]}: 100MiB a second, or none`);
  return [
    command('doctor', 'Check configuration, machine and network, and say what is wrong and how to mend it.').option(
      '--output <dir>',
      'a directory for outputs: can they share blocks with the store?',
    ),
    asking('tasks', 'Show what is stored, and what is being transferred and by which route.').option(
      '--remove <task>',
      'remove a task, by how its id starts: the next dfget asks the origin anew',
    ),
    asking('peers', 'Show the hosts that pieces come from and go to.'),
    limits,
  ];
}

/** @param flags of the program and the command together. @throws UsageError */
export function readCommand(name: string, overrides: DaemonOverrides, flags: FlagReader): DfdaemonCommand {
  const json = flags.isSet('json');
  if (name === 'doctor') return { name, overrides, json, outputDirectory: flags.text('output')?.text };
  const client = { overrides, json, socketPath: flags.text('endpoint')?.text };
  if (name === 'tasks') return { name, ...client, remove: fromCommandLine(flags.text('remove'))?.text };
  if (name === 'peers') return { name, ...client };
  if (name === 'limits') return { name, ...client, changes: readChanges(flags) };
  return { name: 'run', overrides };
}

function readChanges(flags: FlagReader): LimitChanges {
  const changes: LimitChanges = {};
  for (const [name, flag] of Object.entries(LIMIT_FLAGS)) {
    const value = readValue(fromCommandLine(flags.text(flag)), parseLimit);
    if (value !== undefined) changes[name as LimitName] = value;
  }
  return changes;
}

/** A variable that lingers in the environment must not change a running daemon. */
function fromCommandLine(value: RawValue | undefined): RawValue | undefined {
  return value?.from.startsWith('--') === true ? value : undefined;
}

function parseLimit(text: string): number {
  if (text.trim().toLowerCase() === 'none') return 0;
  const rate = parseByteRate(text);
  if (rate >= 1) return rate;
  throw new UsageError('a limit is more than 0; to have none, write none');
}

function asking(name: string, description: string): Command {
  return command(name, description).addOption(
    new Option('-e, --endpoint <path>', "the daemon's unix socket (default: where the configuration has it)"),
  );
}

function command(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .allowExcessArguments(false)
    .configureHelp({ showGlobalOptions: true })
    .option('--json', 'print one JSON document');
}
