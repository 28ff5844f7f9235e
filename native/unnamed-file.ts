import { constants, existsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { AT_FDCWD, AT_SYMLINK_FOLLOW, ENOSYS, O_TMPFILE_BIT } from './linux-abi.js';
import { loadLibc } from './load-libc.js';
import { SyscallError } from './syscall-error.js';

/** The file system, or the kernel, has no such files. */
const UNSUPPORTED = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL', 'ENOSYS']);

/**
 * A file in `directory` that has no name (O_TMPFILE), open for writing: whatever becomes of the process, nothing is left
 * of it unless {@link nameFile} gave it a name. Undefined where that can't be had.
 * @throws NodeJS.ErrnoException for what is not about support (EACCES, ENOSPC, EROFS)
 */
export async function openUnnamedFile(directory: string): Promise<FileHandle | undefined> {
  // Without /proc there is no way to name it later.
  if (!loadLibc().available || !existsSync('/proc/self/fd')) return undefined;
  try {
    return await open(directory, O_TMPFILE_BIT | constants.O_DIRECTORY | constants.O_WRONLY, 0o666);
  } catch (error) {
    if (error instanceof Error && 'code' in error && UNSUPPORTED.has(String(error.code))) return undefined;
    throw error;
  }
}

/**
 * Gives a file of {@link openUnnamedFile} its name; runs in libuv's thread pool.
 * @throws SyscallError: EEXIST when the name is taken
 */
export async function nameFile(file: { readonly fd: number }, path: string): Promise<void> {
  const load = loadLibc();
  if (!load.available) throw new SyscallError('linkat', ENOSYS, load.reason);
  const result = await load.libc.linkatAsync(AT_FDCWD, `/proc/self/fd/${file.fd}`, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
  if (result < 0) throw new SyscallError('linkat', -result, `naming ${path}`);
}
