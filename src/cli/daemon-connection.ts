import { connect } from 'node:net';
import { DfpeerError } from '../core/errors.js';

const CONNECT_TIMEOUT_MS = 2_000;

/** Whether somebody listens on the socket. */
export async function isListening(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

/** @throws DfpeerError DFP_DAEMON_UNREACHABLE */
export async function requireDaemon(socketPath: string): Promise<void> {
  if (!(await isListening(socketPath)))
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `no daemon answers on ${socketPath}; start one with dfdaemon, or leave out --endpoint`,
    );
}
