import { type DfpeerError, toDfpeerError } from '../core/errors.js';
import { printableLines } from '../core/printable.js';
import { redactText } from '../core/redact.js';
import { exitCodeOf } from './exit-codes.js';

/** On stderr: program, what went wrong and what to do, the stable code. Returns the exit code. */
export function reportError(program: string, thrown: unknown): number {
  const error = toDfpeerError(thrown);
  process.stderr.write(describeError(program, error));
  return exitCodeOf(error);
}

export function describeError(program: string, { message, code }: Pick<DfpeerError, 'message' | 'code'>): string {
  return `${program}: ${printableLines(redactText(message))} [${code}]\n`;
}
