import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { canMakeNamespaces, hasProgram, skipLoudly } from '../../support/skip.js';

/** Programs of the Dragonfly project: scheduler and manager in Go, dfdaemon and dfget in Rust. */
export type ProgramName = 'scheduler' | 'manager' | 'dfdaemon' | 'dfget';

/** Names the folder with Dragonfly's programs. */
export const PROGRAMS_VARIABLE = 'DFPEER_INTEROP_BIN';

export function programPath(name: ProgramName): string {
  return join(process.env[PROGRAMS_VARIABLE] ?? '', name);
}

/** Skips the test, saying what is missing, unless all of these can run in namespaces of their own. */
export function requirePrograms(context: Mocha.Context, ...names: ProgramName[]): void {
  if ((process.env[PROGRAMS_VARIABLE] ?? '') === '')
    skipLoudly(context, `${PROGRAMS_VARIABLE} must name a folder with Dragonfly's scheduler, dfdaemon and dfget`);
  const missing = names.filter((name) => !isExecutable(programPath(name)));
  if (missing.length > 0) skipLoudly(context, `not in ${PROGRAMS_VARIABLE}: ${missing.join(', ')}`);
  if (!canMakeNamespaces()) skipLoudly(context, 'this needs root and network namespaces');
}

/** Skips the test unless the shell finds all of these. */
export function requireCommands(context: Mocha.Context, ...names: string[]): void {
  const missing = names.filter((name) => !hasProgram(name));
  if (missing.length > 0) skipLoudly(context, `not installed: ${missing.join(', ')}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
