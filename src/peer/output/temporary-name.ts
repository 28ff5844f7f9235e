import { randomUUID } from 'node:crypto';
import { link, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../core/errors.js';
import { outputExists } from './output-file.js';

/** Beside the output, so that it can be renamed; hidden, and never longer than a name may be. */
export function temporaryNameFor(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 50)}.${randomUUID()}.dfpeer`);
}

/** Gives a complete file its name, atomically. The caller removes `name`. @throws UsageError DFP_OUTPUT_EXISTS when a file appeared meanwhile */
export async function publishName(name: string, path: string, overwrite: boolean): Promise<void> {
  if (overwrite) return rename(name, path);
  try {
    await link(name, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw outputExists(path, error);
    // A file system without hard links: the name was free a moment ago.
    await rename(name, path);
  }
}
