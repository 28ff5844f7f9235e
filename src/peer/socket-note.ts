import { constants } from 'node:fs';
import { lstat, open, rename, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { MAX_SOCKET_PATH_BYTES } from '../core/socket-path.js';

/** A note has a path and a number. */
export const MAX_SOCKET_NOTE_BYTES = 4096;

/**
 * Which socket the daemon listens on that has the store's lock. Who has another environment (cron, su, a service) looks for the socket
 * elsewhere, but for the store in the same place.
 */
export interface SocketNote {
  socketPath: string;
  pid: number;
}

const noteIn = (storeDirectory: string): string => join(storeDirectory, 'listening.json');

/** Only for who has the store's lock. */
export async function writeSocketNote(storeDirectory: string, note: SocketNote): Promise<void> {
  const path = noteIn(storeDirectory);
  const temporary = `${path}.new`;
  // An earlier process may have been killed while it wrote.
  await rm(temporary, { force: true });
  await writeFile(temporary, `${JSON.stringify(note)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(temporary, path);
}

/** Only for who has the store's lock. Never rejects: one that stays keeps no daemon from starting. */
export async function removeSocketNote(storeDirectory: string): Promise<void> {
  await rm(noteIn(storeDirectory), { force: true }).catch(() => undefined);
}

/** Undefined: there is none, or one that is not this user's or root's, or makes no sense. Whether that daemon still lives it doesn't say. */
export async function readSocketNote(storeDirectory: string): Promise<SocketNote | undefined> {
  try {
    // Whatever is there under this name must not keep us waiting, or lead elsewhere.
    const file = await open(noteIn(storeDirectory), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile() || !isOwn(stats) || stats.size > MAX_SOCKET_NOTE_BYTES) return undefined;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_SOCKET_NOTE_BYTES));
      return parseNote(buffer.toString('utf8', 0, bytesRead));
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** The socket that the note names, when it is one that may be used: this user's own, or root's. */
export async function findNotedSocket(storeDirectory: string): Promise<string | undefined> {
  const note = await readSocketNote(storeDirectory);
  if (note === undefined) return undefined;
  const stats = await lstat(note.socketPath).catch(() => undefined);
  return stats?.isSocket() === true && isOwn(stats) ? note.socketPath : undefined;
}

function parseNote(text: string): SocketNote | undefined {
  const note: unknown = JSON.parse(text);
  if (typeof note !== 'object' || note === null || !('socketPath' in note) || !('pid' in note)) return undefined;
  const { socketPath, pid } = note;
  if (typeof socketPath !== 'string' || !isAbsolute(socketPath) || socketPath.includes('\0')) return undefined;
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES) return undefined;
  return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 ? { socketPath, pid } : undefined;
}

function isOwn({ uid }: { uid: number }): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
