import { type Command, CommanderError } from 'commander';
import { UsageError } from '../core/errors.js';

/**
 * Lets commander cut the command line up, without printing or exiting.
 * @param argv without the program's own two entries
 * @returns the text to show, for --help and --version
 * @throws UsageError for flags that don't exist or lack their value
 */
export function parseCommandLine(program: Command, argv: readonly string[]): { show: string } | undefined {
  let shown = '';
  for (const each of [program, ...program.commands])
    each.exitOverride().configureOutput({ writeOut: (text) => (shown += text), writeErr: () => undefined });
  try {
    program.parse(argv, { from: 'user' });
    return undefined;
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.exitCode === 0) return { show: shown };
    // `help` of what isn't there says only that it showed help, which it did not.
    const problem = cause.code === 'commander.help' ? 'no such command' : cause.message.replace(/^error: |\.$/g, '');
    throw new UsageError(`${problem}; see ${program.name()} --help`, { cause });
  }
}

/** For repeatable flags. */
export function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
