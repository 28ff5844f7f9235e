import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { DfpeerError, errnoOf } from '../core/errors.js';
import { MAX_SOCKET_PATH_BYTES } from '../core/socket-path.js';

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
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
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
  if (await answers(path))
    throw new DfpeerError(
      'DFP_LISTEN',
      `another dfdaemon answers on ${path}; stop it, or choose another download.server.socketPath`,
    );
  await rm(path);
}

/** Only this user may talk to the daemon. */
export async function protectSocket(path: string): Promise<void> {
  await chmod(path, 0o600);
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
