import type { Socket } from 'node:net';
import { IPPROTO_TCP, TCP_NOTSENT_LOWAT } from './linux-abi.js';
import { setSocketOption } from './socket-option.js';

const UNSENT_LIMIT = { level: IPPROTO_TCP, name: TCP_NOTSENT_LOWAT, doing: 'limiting what a socket holds unsent' };

/**
 * How much a TCP socket takes that it can't send yet (TCP_NOTSENT_LOWAT, tcp(7)): it turns writable again below half of it. What is
 * under way to the peer doesn't count, so a fast connection loses nothing, while a slow one stops holding megabytes of the kernel's memory.
 * @throws RangeError for a length that is not a positive 32-bit integer
 * @throws EngineError ERR_NATIVE_UNAVAILABLE, ERR_SOCKET_UNSUPPORTED
 * @throws SyscallError of setsockopt: EOPNOTSUPP for a unix socket
 */
export function setUnsentLimit(socket: Socket, bytes: number): void {
  if (!Number.isInteger(bytes) || bytes <= 0 || bytes > 0xffff_ffff) {
    throw new RangeError(`an unsent limit of ${bytes} bytes is not a positive 32-bit integer`);
  }
  setSocketOption(socket, UNSENT_LIMIT, new Uint32Array([bytes]));
}
