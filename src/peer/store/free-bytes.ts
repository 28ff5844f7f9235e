import { statfs } from 'node:fs/promises';

/** Bytes of the file system of `path` that this process may still use. */
export async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
