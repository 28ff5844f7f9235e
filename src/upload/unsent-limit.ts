import type { Socket } from 'node:net';
import { setUnsentLimit } from '../../native/index.js';
import { hint } from './kernel-hint.js';

/**
 * What an upload's connection may hold in the kernel beyond what is on its way. A thousand clients that hardly read would
 * otherwise take more than the kernel has for all sockets together, and it would shrink everybody's windows.
 */
export const UNSENT_LIMIT_BYTES = 512 * 1024;

/** A hint: where it can't be given the kernel's own limit holds. */
export function limitUnsent(socket: Socket): void {
  hint(() => setUnsentLimit(socket, UNSENT_LIMIT_BYTES));
}
