import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DfpeerError, errnoOf } from '../../core/errors.js';
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
  if (obstacle !== undefined)
    throw new DfpeerError('DFP_OUTPUT_FORBIDDEN', `this daemon ${obstacle}, or use --transfer-from-dfdaemon`);
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
    if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS')
      return `may not write to ${directory} (${errno}); choose another directory`;
    throw error;
  }
}
