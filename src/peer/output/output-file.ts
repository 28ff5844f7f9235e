import { readlink, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DfpeerError, errnoOf, UsageError } from '../../core/errors.js';

/** What to do about it, by errno. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'free space there, or choose another file system',
  EDQUOT: 'the quota there is used up: free space, or choose another place',
  EACCES: 'writing there is not allowed; choose another directory',
  EPERM: 'writing there is not allowed; choose another directory',
  EROFS: 'the file system is read-only; choose another one',
  ENAMETOOLONG: 'give a shorter name',
};

/**
 * Fails early: before a long download rather than after it.
 * @param target `source`: the stored file, which may be the output already
 * @throws UsageError DFP_OUTPUT_EXISTS, DfpeerError DFP_OUTPUT_IO
 */
export async function checkOutput(target: {
  path: string;
  overwrite: boolean;
  source?: string | undefined;
}): Promise<void> {
  const { path, overwrite, source } = target;
  const [directory, existing] = await asOutputError(path, () =>
    Promise.all([statOrUndefined(dirname(path)), statOrUndefined(path)]),
  );
  if (directory?.isDirectory() !== true)
    throw new DfpeerError(
      'DFP_OUTPUT_IO',
      `the directory ${dirname(path)} does not exist; make it, or give another output path`,
    );
  if (existing === undefined) return;
  if (existing.isDirectory())
    throw new UsageError(`output path ${path} is a directory; give a file name`, undefined, 'DFP_OUTPUT_EXISTS');
  // To replace a device or a pipe by a file is never what was meant: think of /dev/null.
  if (!existing.isFile() || (await namesDescriptor(path)))
    throw new UsageError(
      `output path ${path} is no regular file; to write to a device or a pipe, use -O - and redirect it: dfget URL -O - >${path}`,
      undefined,
      'DFP_OUTPUT_EXISTS',
    );
  if (overwrite || (source !== undefined && (await isSameFile(source, path)))) return;
  throw outputExists(path);
}

/** `/dev/stdout`, `/dev/fd/3`: names of what somebody has open, which may be a file. A new file would take the place of the name, for all. */
async function namesDescriptor(path: string): Promise<boolean> {
  const directory = await realpath(dirname(path)).catch(() => dirname(path));
  const target = await readlink(path).catch(() => undefined);
  const holders = [directory, ...(target === undefined ? [] : [dirname(resolve(directory, target))])];
  return holders.some((holder) => /^\/(proc|dev\/fd)(\/|$)/.test(holder));
}

export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([statOrUndefined(a), statOrUndefined(b)]);
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

export function outputExists(path: string, cause?: unknown): UsageError {
  return new UsageError(
    `output path ${path} exists already; use --overwrite to replace it`,
    { cause },
    'DFP_OUTPUT_EXISTS',
  );
}

/** The one place where errno becomes an output error. @throws DfpeerError DFP_OUTPUT_IO, and coded ones as they are */
export async function asOutputError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DfpeerError) throw error;
    const errno = errnoOf(error);
    const remedy = REMEDIES[errno ?? ''];
    throw new DfpeerError(
      'DFP_OUTPUT_IO',
      `could not write ${path}: ${errno ?? String(error)}${remedy === undefined ? '' : `; ${remedy}`}`,
      { cause: error },
    );
  }
}

/** Undefined where there is nothing. @throws NodeJS.ErrnoException */
export async function statOrUndefined(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
