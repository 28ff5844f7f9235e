import { DfpeerError, errnoOf } from '../core/errors.js';

/** LevelDB tells what the system said in words only: those of strerror(3). */
const ERRNO_IN_WORDS: readonly (readonly [words: RegExp, errno: string])[] = [
  [/no space left/i, 'ENOSPC'],
  [/quota exceeded/i, 'EDQUOT'],
  [/permission denied/i, 'EACCES'],
  [/operation not permitted/i, 'EPERM'],
  [/read-only file system/i, 'EROFS'],
  [/too many open files/i, 'EMFILE'],
  [/input\/output error/i, 'EIO'],
];

const FREE_SPACE = 'free space, or lower gc.policy.diskThreshold';
const LET_WRITE = "let the daemon's user write there, or choose another storage.dir";
const RAISE_FILES = 'raise the limit of open files (LimitNOFILE, ulimit -n)';

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', FREE_SPACE],
  ['EDQUOT', FREE_SPACE],
  ['EACCES', LET_WRITE],
  ['EPERM', LET_WRITE],
  ['EROFS', LET_WRITE],
  ['EMFILE', RAISE_FILES],
  ['ENFILE', RAISE_FILES],
  ['EIO', "see the kernel's log and check the disk"],
]);

/** The one place where errno becomes a store error: DFP_STORE_FULL or DFP_STORE_IO; what is ours already passes through. */
export function diskError(doing: string, error: unknown): DfpeerError {
  if (error instanceof DfpeerError) return error;
  const errno = errnoOf(error) ?? ERRNO_IN_WORDS.find(([words]) => words.test(String(error)))?.[1];
  const remedy = errno === undefined ? undefined : REMEDIES.get(errno);
  return new DfpeerError(
    remedy === FREE_SPACE ? 'DFP_STORE_FULL' : 'DFP_STORE_IO',
    `could not ${doing}: ${errno ?? String(error)}${remedy === undefined ? '' : `; ${remedy}`}`,
    { cause: error },
  );
}

/** Runs `work`; whatever it throws becomes a {@link diskError}. */
export async function mapDiskError<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(doing, error);
  }
}
