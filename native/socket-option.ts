import type { Socket } from 'node:net';
import type { Memory } from './libc.js';
import { openSocket } from './socket-fd.js';
import { checked } from './syscall-error.js';

export interface SocketOption {
  level: number;
  name: number;
  /** What it does to a socket, for errors: "setting a pacing rate". */
  doing: string;
}

/**
 * setsockopt(2) on a plain socket.
 * @throws EngineError ERR_NATIVE_UNAVAILABLE, ERR_SOCKET_UNSUPPORTED
 * @throws SyscallError of setsockopt
 */
export function setSocketOption(socket: Socket, { level, name, doing }: SocketOption, value: Memory): void {
  const { libc, fd } = openSocket(socket, doing);
  checked('setsockopt', libc.setSocketOption(fd, level, name, value, value.byteLength), doing);
}
