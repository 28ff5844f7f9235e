import { toDfpeerError } from '../core/errors.js';
import { redactText } from '../core/redact.js';
import { exitCodeOf } from './exit-codes.js';

/** One line on stderr: program, what went wrong and what to do, the stable code. Returns the exit code. */
export function reportError(program: string, thrown: unknown): number {
  const error = toDfpeerError(thrown);
  process.stderr.write(`${program}: ${redactText(error.message)} [${error.code}]\n`);
  return exitCodeOf(error);
}
