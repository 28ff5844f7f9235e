import type { Socket } from 'node:net';

/** The address of the other end without IPv4-in-IPv6 notation; "local" for a unix socket. */
export function remoteIp(socket: Socket): string {
  return socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? 'local';
}
