import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { DfpeerError } from '../../../core/errors.js';

const VERSION = 5;
const NO_CREDENTIALS = 0;
const USER_AND_PASSWORD = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;
/** Of a name, a user and a password: one byte tells the length. */
const MAX_FIELD_BYTES = 255;
/** RFC 1928, 6. */
const REFUSALS: Readonly<Record<number, string>> = {
  2: 'its rules forbid it',
  3: 'the network is unreachable',
  4: 'the host is unreachable',
  5: 'nobody listens there',
  6: 'the connection took too long',
};

export interface Socks5Order {
  /** A name is resolved by the proxy. */
  host: string;
  port: number;
  credentials: { user: string; password: string } | undefined;
}

/** The proxy will say the same next time. */
export class Socks5CredentialsError extends Error {
  readonly code = 'ERR_PROXY_CREDENTIALS';
}

/** Has a SOCKS5 proxy connect the socket to a host (RFC 1928, 1929). @throws Error of a proxy that does not; the signal's reason */
export async function connectBySocks5(socket: Socket, order: Socks5Order, signal: AbortSignal): Promise<void> {
  const { host, port, credentials } = order;
  const methods = credentials === undefined ? [NO_CREDENTIALS] : [NO_CREDENTIALS, USER_AND_PASSWORD];
  socket.write(Buffer.from([VERSION, methods.length, ...methods]));
  const [version, method] = await take(socket, 2, signal);
  if (version !== VERSION) throw new Error('it does not speak SOCKS5');
  if (method === USER_AND_PASSWORD && credentials !== undefined) {
    const { user, password } = credentials;
    socket.write(Buffer.concat([Buffer.from([1]), field(user, 'user'), field(password, 'password')]));
    const [, refusal] = await take(socket, 2, signal);
    if (refusal !== 0) throw new Socks5CredentialsError('it refuses user and password');
  } else if (method !== NO_CREDENTIALS) {
    const wanted = credentials === undefined ? 'it wants a user and a password' : 'it takes no user and password';
    throw new Socks5CredentialsError(wanted);
  }
  socket.write(
    Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), address(host), Buffer.from([port >> 8, port & 255])]),
  );
  const [, refusal = 1, , kind = 0] = await take(socket, 4, signal);
  if (refusal !== 0) throw new Error(`it does not connect to ${host}: ${REFUSALS[refusal] ?? `error ${refusal}`}`);
  await take(socket, (await addressLength(socket, kind, signal)) + 2, signal);
}

function address(host: string): Buffer {
  const family = isIP(host);
  if (family === 4) return Buffer.from([IPV4, ...host.split('.').map(Number)]);
  if (family === 6) return Buffer.from([IPV6, ...ipv6Groups(host).flatMap((group) => [group >> 8, group & 255])]);
  return Buffer.concat([Buffer.from([NAME]), field(host, 'host')]);
}

/** Of an address as URLs have it: without dots. */
function ipv6Groups(host: string): number[] {
  const [first = [], last] = host
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16))));
  if (last === undefined) return first;
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

function field(text: string, what: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > MAX_FIELD_BYTES)
    throw new DfpeerError(
      'DFP_CONFIG',
      `the ${what} is longer than the ${MAX_FIELD_BYTES} bytes that SOCKS5 has for it`,
    );
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

async function addressLength(socket: Socket, kind: number, signal: AbortSignal): Promise<number> {
  if (kind === IPV4) return 4;
  if (kind === IPV6) return 16;
  if (kind !== NAME) throw new Error('it does not speak SOCKS5');
  const [length = 0] = await take(socket, 1, signal);
  return length;
}

/** No byte more is taken from the socket. */
async function take(socket: Socket, length: number, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let missing = length; missing > 0;) {
    signal.throwIfAborted();
    // Of what is there: with a part of it in the stream, `readable` would come again at once, for ever.
    const part = socket.read(Math.min(missing, socket.readableLength)) as Buffer | null;
    if (part !== null) {
      parts.push(part);
      missing -= part.length;
    } else if (socket.readableEnded || socket.destroyed) throw new Error('it closed the connection');
    else await once(socket, 'readable', { signal });
  }
  return Buffer.concat(parts);
}
