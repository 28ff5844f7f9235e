import { chmod, lchown, lstat, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { DfpeerError, errnoOf } from '../core/errors.js';
import { MAX_SOCKET_PATH_BYTES } from '../core/socket-path.js';
import { makeDirectories } from '../core/make-directories.js';

const GROUP_FILE = '/etc/group';

/**
 * Makes room for a listening socket: its directory, and no stale file of a daemon that is gone.
 * @throws DfpeerError DFP_LISTEN when a living daemon has it, or something that is no socket is there
 */
export async function prepareSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw new DfpeerError(
      'DFP_LISTEN',
      `the socket path ${path} is longer than ${MAX_SOCKET_PATH_BYTES} bytes; choose a shorter one with download.server.socketPath`,
    );
  await makeDirectories(dirname(path), 0o755).catch((cause: unknown) => {
    throw new DfpeerError(
      'DFP_LISTEN',
      `the directory ${dirname(path)} can't be made (${errnoOf(cause) ?? String(cause)}); choose another download.server.socketPath`,
      { cause },
    );
  });
  let stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  if (!stats.isSocket())
    throw new DfpeerError(
      'DFP_LISTEN',
      `${path} exists and is no socket; remove it, or choose another download.server.socketPath`,
    );
  if (await isListenedTo(path))
    throw new DfpeerError(
      'DFP_LISTEN',
      `another dfdaemon listens on ${path}; stop it, or choose another download.server.socketPath`,
    );
  await rm(path);
}

/** Who may connect, beside root. */
export interface SocketAccess {
  /** Permission bits, such as 0o660. */
  mode: number;
  /** Name or number; undefined: the daemon's own group. */
  group: string | undefined;
}

/**
 * Opens a socket that was made with mode 0600 to those who may connect.
 * @throws DfpeerError DFP_CONFIG for a group that does not exist or that the daemon may not give it to
 */
export async function grantAccess(path: string, { mode, group }: SocketAccess): Promise<void> {
  // The group first: with the mode first, another group could connect in between.
  if (group !== undefined) await giveToGroup(path, group);
  await chmod(path, mode);
}

async function giveToGroup(path: string, group: string): Promise<void> {
  const gid = /^\d+$/.test(group) ? Number(group) : await findGroup(group);
  if (gid === undefined)
    throw new DfpeerError(
      'DFP_CONFIG',
      `download.server.socketGroup: there is no group ${group} in ${GROUP_FILE}; create it, or give its number`,
    );
  try {
    await lchown(path, process.geteuid?.() ?? -1, gid);
  } catch (cause) {
    throw new DfpeerError(
      'DFP_CONFIG',
      `download.server.socketGroup: ${path} can't be given to group ${group}: ${errnoOf(cause) ?? String(cause)}; the daemon's user must be a member`,
      { cause },
    );
  }
}

/** Only local groups: the system's other sources can't be asked from here. */
async function findGroup(name: string): Promise<number | undefined> {
  const lines = (await readFile(GROUP_FILE, 'utf8')).split('\n');
  const gid = lines.map((line) => line.split(':')).find(([each]) => each === name)?.[2];
  return gid === undefined ? undefined : Number(gid);
}

async function isListenedTo(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // The queue of a daemon that hangs is full at some time.
    socket.once('error', (error) => resolve(errnoOf(error) === 'EAGAIN'));
  });
}
