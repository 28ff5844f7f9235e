import { homedir, userInfo } from 'node:os';
import { isAbsolute } from 'node:path';

/** $HOME, or what the system's users say; `/`, as containers have it, for a user that the system does not know. */
export function homeDirectory(): string {
  for (const read of [homedir, (): string => userInfo().homedir]) {
    try {
      const directory = read();
      if (isAbsolute(directory)) return directory;
    } catch {
      // Of a user without an entry both throw.
    }
  }
  return '/';
}
