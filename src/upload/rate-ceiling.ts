import type { Socket } from 'node:net';
import { NativeError, setMaxPacingRate } from '../../native/index.js';

/** A hint to the kernel, in bytes per second; undefined: none. Where it can't be given the connection takes what it gets. */
export function setRateCeiling(socket: Socket, bytesPerSecond: number | undefined): void {
  if (socket.destroyed) return;
  try {
    setMaxPacingRate(socket, bytesPerSecond === undefined ? 'unlimited' : Math.max(1, Math.round(bytesPerSecond)));
  } catch (thrown) {
    if (!(thrown instanceof NativeError)) throw thrown;
  }
}
