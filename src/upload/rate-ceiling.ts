import type { Socket } from 'node:net';
import { setMaxPacingRate } from '../../native/index.js';
import { hint } from './kernel-hint.js';

/** A hint to the kernel, in bytes per second; undefined: none. Where it can't be given the connection takes what it gets. */
export function setRateCeiling(socket: Socket, bytesPerSecond: number | undefined): void {
  if (socket.destroyed) return;
  const rate = bytesPerSecond === undefined ? 'unlimited' : Math.max(1, Math.round(bytesPerSecond));
  hint(() => setMaxPacingRate(socket, rate));
}
