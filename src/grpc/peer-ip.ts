import { isIPv6, SocketAddress } from 'node:net';

/**
 * The IP address in what grpc-js's getPeer() says of a caller: `10.0.0.1:41836`, `::1:41836`, `[::1]:41836`, `::ffff:10.0.0.1:41836`.
 * Something else for a caller on a unix socket.
 */
export function peerIp(peer: string): string {
  return peer
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Whether both are the same address, however they are written; what is none, as a stranger may say, is only the same as itself. */
export function isSameIp(one: string, other: string): boolean {
  return canonical(one) === canonical(other);
}

function canonical(ip: string): string {
  return isIPv6(ip) ? new SocketAddress({ address: ip, family: 'ipv6' }).address : ip;
}
