import type { Socket } from 'node:net';
import { SO_RCVLOWAT, SOL_SOCKET } from './linux-abi.js';
import { setSocketOption } from './socket-option.js';

const RECEIVE_LOW_WATER = { level: SOL_SOCKET, name: SO_RCVLOWAT, doing: 'setting what a socket waits to receive' };

/**
 * How much must have come before a TCP socket turns readable (SO_RCVLOWAT, socket(7)); its end or an error always wakes. May be changed
 * at any time, 1 is the kernel's own. Whoever asks for more than will come waits for ever.
 * @throws RangeError for a length that is not a positive 31-bit integer
 * @throws EngineError ERR_NATIVE_UNAVAILABLE, ERR_SOCKET_UNSUPPORTED
 * @throws SyscallError of setsockopt
 */
export function setReceiveLowWater(socket: Socket, bytes: number): void {
  if (!Number.isInteger(bytes) || bytes <= 0 || bytes > 0x7fff_ffff) {
    throw new RangeError(`a receive low water of ${bytes} bytes is not a positive 31-bit integer`);
  }
  setSocketOption(socket, RECEIVE_LOW_WATER, new Uint32Array([bytes]));
}
