import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DfpeerError, errnoOf, hasCode } from '../../core/errors.js';
import { directoryIdentity } from './directory-identity.js';
import { asOutputError } from './output-file.js';

/**
 * Where a client can write, this daemon may not be able to: it is another user, sees the file system read-only, or sees another one (systemd's
 * PrivateTmp, a container). Asked before a download, as its client can have the bytes sent instead.
 * @param seenByClient the {@link directoryIdentity} of the output's directory; undefined: the client does not tell
 * @throws DfpeerError DFP_OUTPUT_FORBIDDEN, DFP_OUTPUT_IO
 */
export async function assertWithinReach(path: string, seenByClient: string | undefined): Promise<void> {
  const obstacle = await asOutputError(path, () => findObstacle(dirname(path), seenByClient));
  if (obstacle !== undefined) throw outputForbidden(obstacle);
}

/** What shows only when the output is placed: NFS that squashes root, a directory that others may write to but whose files are theirs. */
export function asForbidden(path: string, error: unknown): unknown {
  if (!hasCode(error, 'DFP_OUTPUT_IO')) return error;
  const obstacle = prohibition(dirname(path), errnoOf(error.cause));
  return obstacle === undefined ? error : outputForbidden(obstacle, error.cause);
}

function outputForbidden(obstacle: string, cause?: unknown): DfpeerError {
  const text = `this daemon ${obstacle}, or use --transfer-from-dfdaemon`;
  return new DfpeerError('DFP_OUTPUT_FORBIDDEN', text, cause === undefined ? undefined : { cause });
}

function prohibition(directory: string, errno: string | undefined): string | undefined {
  if (errno !== 'EACCES' && errno !== 'EPERM' && errno !== 'EROFS') return undefined;
  return `may not write to ${directory} (${errno}); choose another directory`;
}

async function findObstacle(directory: string, seenByClient: string | undefined): Promise<string | undefined> {
  try {
    const identity = await directoryIdentity(directory);
    if (seenByClient !== undefined && identity !== seenByClient)
      return `has other mounts, and sees another directory at ${directory}; let it see the same`;
    await access(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return `sees no directory ${directory}; make it where it is missing`;
    const obstacle = prohibition(directory, errno);
    if (obstacle === undefined) throw error;
    return obstacle;
  }
}
