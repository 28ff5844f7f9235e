import type { Socket } from 'node:net';
import { EngineError } from './errors.js';
import type { Libc } from './libc.js';
import { loadLibc } from './load-libc.js';

/**
 * The descriptor of a plain TCP or unix socket, or undefined once it is closed. It belongs to libuv: never close it,
 * never keep the number beyond the current turn of the event loop, never watch it.
 * @throws EngineError ERR_SOCKET_UNSUPPORTED for TLS sockets, whose descriptor carries ciphertext
 */
export function socketFd(socket: Socket): number | undefined {
  if ('encrypted' in socket && socket.encrypted === true) {
    throw new EngineError('ERR_SOCKET_UNSUPPORTED', 'a TLS socket encrypts in user space: write its bytes instead');
  }
  if (socket.destroyed) return undefined;
  const handle: unknown = '_handle' in socket ? socket._handle : undefined;
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = 'fd' in handle ? handle.fd : undefined;
  if (typeof fd !== 'number') {
    throw new EngineError('ERR_SOCKET_UNSUPPORTED', 'the socket has no file descriptor: write its bytes instead');
  }
  return fd >= 0 ? fd : undefined;
}

/**
 * The same for calls that have no use for a closed socket, and what makes them.
 * @throws EngineError ERR_NATIVE_UNAVAILABLE, ERR_SOCKET_UNSUPPORTED
 */
export function openSocket(socket: Socket, purpose: string): { libc: Libc; fd: number } {
  const load = loadLibc();
  if (!load.available) throw new EngineError('ERR_NATIVE_UNAVAILABLE', load.reason);
  const fd = socketFd(socket);
  if (fd === undefined)
    throw new EngineError('ERR_SOCKET_UNSUPPORTED', `the socket is closed, too late for ${purpose}`);
  return { libc: load.libc, fd };
}
