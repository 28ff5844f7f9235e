import type { Socket } from 'node:net';
import { SO_MAX_PACING_RATE, SOL_SOCKET } from './linux-abi.js';
import { openSocket } from './socket-fd.js';
import { setSocketOption } from './socket-option.js';
import { checked } from './syscall-error.js';

/** What the kernel takes for no limit. */
const UNLIMITED = 0xffff_ffff_ffff_ffffn;
const PACING_RATE = { level: SOL_SOCKET, name: SO_MAX_PACING_RATE, doing: 'setting a pacing rate' };

/**
 * Lets the kernel space out what a TCP socket sends (SO_MAX_PACING_RATE, socket(7)); may be changed at any time. A
 * ceiling for one connection, in bytes of TCP segments: headers count, so the payload comes out a few percent lower.
 * @throws RangeError for a rate that is not a positive integer
 * @throws EngineError ERR_NATIVE_UNAVAILABLE, ERR_SOCKET_UNSUPPORTED
 * @throws SyscallError of setsockopt
 */
export function setMaxPacingRate(socket: Socket, bytesPerSecond: number | 'unlimited'): void {
  if (bytesPerSecond !== 'unlimited' && !(Number.isSafeInteger(bytesPerSecond) && bytesPerSecond > 0)) {
    throw new RangeError(`a pacing rate of ${bytesPerSecond} bytes per second is not a positive integer`);
  }
  const value = new BigUint64Array([bytesPerSecond === 'unlimited' ? UNLIMITED : BigInt(bytesPerSecond)]);
  setSocketOption(socket, PACING_RATE, value);
}

/** The rate in force, in bytes per second. Throws as setMaxPacingRate does. */
export function maxPacingRate(socket: Socket): number | 'unlimited' {
  const { libc, fd } = openSocket(socket, 'pacing');
  const value = new BigUint64Array(1);
  const length = new Uint32Array([8]);
  checked(
    'getsockopt',
    libc.getSocketOption(fd, SOL_SOCKET, SO_MAX_PACING_RATE, value, length),
    'reading a pacing rate',
  );
  const [rate = UNLIMITED] = value;
  return rate === UNLIMITED ? 'unlimited' : Number(rate);
}
