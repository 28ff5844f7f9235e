import type { Socket } from 'node:net';
import type { SocksClientOptions } from 'socks';
import type { buildConnector } from 'undici';
import { decodePercent } from '../../../core/decode-percent.js';
import { asError, DfpeerError, messageOf } from '../../../core/errors.js';
import { hostOfUrl } from '../../../core/host-port.js';
import { PROXY_USER_REMEDY } from './proxy-choice.js';

const DEFAULT_PORT = 1080;
/** One byte tells the length of a name, a user or a password (RFC 1928, 1929). */
const MAX_FIELD_BYTES = 255;
/** What the library says of a proxy that does not let us in, today or tomorrow. */
const REFUSED_USER = /Authentication failed|no accepted authentication type/;

/** The proxy will say the same next time. */
class Socks5CredentialsError extends Error {
  readonly code = 'ERR_PROXY_CREDENTIALS';
}

/** Opens connections to origins through a SOCKS5 proxy, which resolves their names; `secure` makes those to https origins speak TLS. */
export function socks5Connector(
  proxy: URL,
  timeoutMs: number,
  secure: buildConnector.connector,
): buildConnector.connector {
  return (target, callback) => {
    const isSecure = target.protocol === 'https:';
    const destination = { host: hostOfUrl(target), port: Number(target.port || (isSecure ? 443 : 80)) };
    connectThrough(proxy, destination, timeoutMs).then(
      (socket) => (isSecure ? secure({ ...target, httpSocket: socket }, callback) : callback(null, socket)),
      (error: unknown) => callback(asError(error), null),
    );
  };
}

async function connectThrough(
  proxy: URL,
  destination: SocksClientOptions['destination'],
  timeout: number,
): Promise<Socket> {
  const [userId, password] = [decodePercent(proxy.username), decodePercent(proxy.password)];
  for (const [what, text] of Object.entries({ host: destination.host, user: userId, password }))
    if (Buffer.byteLength(text) > MAX_FIELD_BYTES)
      throw new DfpeerError(
        'DFP_CONFIG',
        `the ${what} is longer than the ${MAX_FIELD_BYTES} bytes that SOCKS5 has for it`,
      );
  // Few need it.
  const { SocksClient } = await import('socks');
  const port = proxy.port === '' ? DEFAULT_PORT : Number(proxy.port);
  try {
    const { socket } = await SocksClient.createConnection({
      proxy: { host: hostOfUrl(proxy), port, type: 5, userId, password },
      command: 'connect',
      destination,
      timeout,
    });
    return socket;
  } catch (cause) {
    const why = messageOf(cause);
    if (!REFUSED_USER.test(why)) throw cause;
    throw new Socks5CredentialsError(`${why}; ${PROXY_USER_REMEDY}`, { cause });
  }
}
