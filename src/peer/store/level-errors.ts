import { codeOf, DfpeerError } from '../../core/errors.js';
import { diskError } from '../disk-error.js';

/** A file that another one names is not there, or is something else: in the words of strerror(3), and of RepairDB. */
const MISSING_FILE = /no such file or directory|not a directory|is a directory|repair found no files/i;

/** DFP_STORE_LOCKED when another process has it, DFP_STORE_DAMAGED when its files don't fit together, else what the disk said. */
export function openError(directory: string, error: unknown): DfpeerError {
  const cause = causeOf(error);
  if (!isDamage(cause)) return lockError(directory, error);
  return new DfpeerError('DFP_STORE_DAMAGED', `can't read the metadata in ${directory}: ${String(cause)}`, {
    cause: error,
  });
}

/** DFP_STORE_LOCKED when another process has it, else what the disk said. */
export function lockError(directory: string, error: unknown): DfpeerError {
  const cause = causeOf(error);
  if (codeOf(cause) !== 'LEVEL_LOCKED') return diskError(`open the metadata in ${directory}`, cause);
  return new DfpeerError(
    'DFP_STORE_LOCKED',
    `another dfdaemon uses ${directory}; stop it (dfdaemon doctor names its process; one that dfget has started ends by itself when idle), or give this one its own storage.dir`,
    { cause: error },
  );
}

function isDamage(cause: unknown): boolean {
  const code = codeOf(cause);
  return code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && MISSING_FILE.test(String(cause)));
}

/** What LevelDB said, which is inside of "Database failed to open". */
function causeOf(error: unknown): unknown {
  return error instanceof Error && !(error instanceof DfpeerError) && error.cause instanceof Error
    ? error.cause
    : error;
}
