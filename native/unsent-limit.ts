import type { Socket } from 'node:net';
import { IPPROTO_TCP, TCP_NOTSENT_LOWAT } from './linux-abi.js';
import { openSocket } from './socket-fd.js';
import { checked } from './syscall-error.js';

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
  const { libc, fd } = openSocket(socket, 'limiting what it holds unsent');
  const value = new Uint32Array([bytes]);
  checked(
    'setsockopt',
    libc.setSocketOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, value, 4),
    'limiting what a socket holds unsent',
  );
}
