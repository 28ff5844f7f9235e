import { EngineError } from './errors.js';
import type { Libc } from './libc.js';
import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from './linux-abi.js';
import { loadLibc } from './load-libc.js';
import { checked } from './syscall-error.js';

/** `sun_path` of `struct sockaddr_un`, its terminating NUL left out (unix(7)). */
export const MAX_UNIX_PATH_BYTES = 107;

/**
 * Sends one datagram to a unix socket, without waiting for its reader. Node has stream sockets only.
 * @param path absolute; or `@name` for a socket in the abstract namespace
 * @throws RangeError for a path that fits no address
 * @throws EngineError ERR_NATIVE_UNAVAILABLE
 * @throws SyscallError of socket, connect (ENOENT, ECONNREFUSED, EACCES) or send (EAGAIN: the reader's queue is full)
 */
export function sendUnixDatagram(path: string, text: string): void {
  const address = unixAddress(path);
  const load = loadLibc();
  if (!load.available) throw new EngineError('ERR_NATIVE_UNAVAILABLE', load.reason);
  const { libc } = load;
  const fd = checked('socket', libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK), `writing to ${path}`);
  try {
    sendTo(libc, fd, address, path, Buffer.from(text));
  } finally {
    libc.close(fd);
  }
}

function sendTo(libc: Libc, fd: number, address: Uint8Array, path: string, bytes: Uint8Array): void {
  checked('connect', libc.connect(fd, address), `connecting to ${path}`);
  checked('send', libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL), `writing to ${path}`);
}

/** `struct sockaddr_un`: the family, then the path with its NUL, or a NUL and the abstract name without one. */
function unixAddress(path: string): Uint8Array {
  const isAbstract = path.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (!/^[@/]./.test(path) || path.includes('\0') || name.length > MAX_UNIX_PATH_BYTES + 1)
    throw new RangeError(`${JSON.stringify(path)} is no address of a unix socket`);
  const family = Buffer.from(Uint16Array.of(AF_UNIX).buffer);
  return Buffer.concat([family, name]);
}
