import { stat } from 'node:fs/promises';

/** The same only for the same directory, by whatever name and from whatever mount namespace of this host. @throws NodeJS.ErrnoException */
export async function directoryIdentity(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}
