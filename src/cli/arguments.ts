import { messageOf, UsageError } from '../core/errors.js';
import type { Environment } from '../core/environment.js';
import { attributeOf } from './plain-command-line.js';

/** What a command line asks for: to run, or to show a text (help, version) and exit with 0. */
export type Parsed<Options> = { kind: 'run'; options: Options } | { kind: 'show'; text: string };

/** A value as it was written, and where: errors name the flag or the variable. */
export interface RawValue {
  text: string;
  from: string;
}

const TRUE = new Set(['1', 'true', 'yes', 'on', 'y', 't']);
const FALSE = new Set(['0', 'false', 'no', 'off', 'n', 'f', '']);

/** Flags with the environment behind them: `--log-level` is also PREFIX_LOG_LEVEL, and the flag wins. */
export class FlagReader {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #env: Environment;
  readonly #prefix: string;

  /** @param prefix of the variables, "DFGET" */
  constructor(values: Readonly<Record<string, unknown>>, env: Environment, prefix: string) {
    this.#values = values;
    this.#env = env;
    this.#prefix = prefix;
  }

  text(flag: string): RawValue | undefined {
    const value = this.#values[attributeOf(flag)];
    if (typeof value === 'string') return { text: value, from: `--${flag}` };
    const fromEnv = this.#env[this.#variable(flag)];
    return fromEnv === undefined || fromEnv === '' ? undefined : { text: fromEnv, from: this.#variable(flag) };
  }

  /** The environment can give one value only. */
  list(flag: string): RawValue[] {
    const value = this.#values[attributeOf(flag)];
    if (Array.isArray(value)) return value.map((text) => ({ text: String(text), from: `--${flag}` }));
    const single = this.text(flag);
    return single === undefined ? [] : [single];
  }

  isSet(flag: string): boolean {
    const negated = flag.startsWith('no-');
    const value = this.#values[attributeOf(negated ? flag.slice('no-'.length) : flag)];
    if (value === !negated) return true;
    const variable = this.#variable(flag);
    const text = this.#env[variable]?.toLowerCase() ?? '';
    if (TRUE.has(text)) return true;
    if (FALSE.has(text)) return false;
    throw new UsageError(`${variable} must be true or false, not ${JSON.stringify(text.slice(0, 80))}`);
  }

  #variable(flag: string): string {
    return `${this.#prefix}_${flag.replaceAll('-', '_').toUpperCase()}`;
  }
}

/** Runs a value through its parser; what the parser throws is reported under the flag's or variable's name. */
export function readValue<T>(raw: RawValue | undefined, parse: (text: string) => T): T | undefined {
  if (raw === undefined) return undefined;
  try {
    return parse(raw.text);
  } catch (cause) {
    throw new UsageError(`${raw.from}: ${messageOf(cause)}`, { cause });
  }
}

/** A whole number between bounds. @throws UsageError */
export function parseInteger(text: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`expected a whole number from ${min} to ${max}, found ${JSON.stringify(text.slice(0, 80))}`);
}

/** One of some words, in any case. @throws UsageError */
export function parseWord<const Word extends string>(text: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text.trim().toLowerCase());
  if (found !== undefined) return found;
  throw new UsageError(`expected one of ${words.join(', ')}, found ${JSON.stringify(text.slice(0, 80))}`);
}
