import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SocketKind } from '../route.js';

/** What a route needs to know of a socket. A unix socket is one without an address. */
export function socketKind(socket: Socket): SocketKind {
  if (socket instanceof TLSSocket) return 'tls';
  if (!(socket instanceof Socket)) return 'other';
  return socket.remoteFamily === undefined ? 'unix' : 'tcp';
}

/** Resolves once the kernel has all that was written to the socket so far, or the socket is gone. */
export async function drained(socket: Socket): Promise<void> {
  if (socket.writableLength === 0 || socket.destroyed) return;
  await new Promise<void>((resolve) => socket.write('', () => resolve()));
}

/** Resolves true once the kernel took the bytes, false when the socket is gone. A head goes out in one go with them. */
export function writeAll(socket: Socket, bytes: Uint8Array, head?: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    // A write that destroy() cuts off ends without an error before Node 24.
    const settle = (error?: Error | null): void => resolve((error ?? undefined) === undefined && !socket.destroyed);
    if (head === undefined || head.length === 0) {
      socket.write(bytes, settle);
      return;
    }
    socket.cork();
    socket.write(head);
    socket.write(bytes, settle);
    socket.uncork();
  });
}
