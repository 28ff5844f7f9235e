import { errnoOf, UsageError } from '../core/errors.js';

/** Where relative paths begin. @throws UsageError when that directory was removed */
export function findWorkingDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new UsageError(
      `the working directory is gone (${errnoOf(cause) ?? String(cause)}); change to one that exists, or give absolute paths`,
      { cause },
    );
  }
}
