import { chmod, lstat } from 'node:fs/promises';
import { DfpeerError, errnoOf } from '../../core/errors.js';
import { makeDirectories } from '../../core/make-directories.js';
import { mapDiskError } from '../disk-error.js';

/** Makes `path` with mode 0700, or checks that what is there is a directory of ours and nobody else can write to it. */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  await mapDiskError(`make the directory ${path}`, () =>
    makeDirectories(path, 0o700).catch((error: unknown) => {
      // Something else has the name, and is told below.
      if (errnoOf(error) !== 'EEXIST') throw error;
    }),
  );
  const stats = await mapDiskError(`look at the directory ${path}`, () => lstat(path));
  const refuse = (why: string): never => {
    throw new DfpeerError('DFP_STORE_UNTRUSTED', `${path} ${why}; give another storage.dir, or remove it`);
  };
  if (stats.isSymbolicLink()) refuse('is a symbolic link');
  if (!stats.isDirectory()) refuse('is not a directory');
  if (!isOwnUid(stats.uid)) refuse(`belongs to user ${stats.uid}, not to the user of this process`);
  if ((stats.mode & 0o077) !== 0) await chmod(path, 0o700);
}

const OWN_UID = process.getuid?.();

export function isOwnUid(uid: number): boolean {
  return OWN_UID === undefined || uid === OWN_UID;
}
