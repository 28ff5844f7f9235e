import { parseArgs } from 'node:util';

/** A flag as help shows it. */
export interface Flag {
  /** `-O, --output <file>`; `--no-…` switches off what is on without it */
  flags: string;
  help: string;
  isRepeatable?: boolean;
}

/** A command line cut up. */
export interface CommandLine {
  /** By commander's names: "--log-level" is logLevel, "--no-progress" makes progress false. */
  values: Readonly<Record<string, unknown>>;
  positionals: readonly string[];
}

/**
 * Cuts up a command line that holds nothing but the flags of a table and at most one word beside them, as commander would: loading that
 * takes as long as a small download. Undefined for whatever commander has to say something about.
 */
export function readPlainCommandLine(argv: readonly string[], table: readonly Flag[]): CommandLine | undefined {
  const flags = table.map(dissect);
  const options = Object.fromEntries(flags.map(({ long, ...option }) => [long, option]));
  const parsed = tryParse(argv, options);
  if (parsed === undefined || parsed.positionals.length > 1) return undefined;
  const values: Record<string, unknown> = {};
  for (const [long, value] of Object.entries(parsed.values)) {
    const isNegated = long.startsWith('no-');
    values[attributeOf(isNegated ? long.slice('no-'.length) : long)] = isNegated ? false : value;
  }
  return { values, positionals: parsed.positionals };
}

/** How commander names the value of a flag: "log-level" → logLevel. */
export function attributeOf(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

interface PlainOption {
  type: 'string' | 'boolean';
  multiple: boolean;
  short?: string;
}

function dissect({ flags, isRepeatable = false }: Flag): PlainOption & { long: string } {
  const { short, long, value } = /^(?:-(?<short>\w), )?--(?<long>[\w-]+)(?<value> <.+>)?$/.exec(flags)?.groups ?? {};
  if (long === undefined) throw new TypeError(`not a flag as help shows it: ${flags}`);
  return {
    long,
    type: value === undefined ? 'boolean' : 'string',
    multiple: isRepeatable,
    ...(short === undefined ? {} : { short }),
  };
}

/** Of a value that begins with a dash parseArgs says that it can't tell. */
function tryParse(
  argv: readonly string[],
  options: Record<string, PlainOption>,
): { values: Record<string, unknown>; positionals: string[] } | undefined {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch {
    return undefined;
  }
}
