import type { Socket } from 'node:net';
import { buildConnector } from 'undici';
import { asError, DfpeerError } from '../../../core/errors.js';
import { decodePercent } from '../../../core/decode-percent.js';
import { hostOfUrl } from '../../../core/host-port.js';
import { connectBySocks5, type Socks5Order } from './socks5-handshake.js';

const SOCKS_PORT = '1080';

/** Opens connections to origins through a SOCKS5 proxy; `secure` makes those to https origins speak TLS. */
export function socks5Connector(
  proxy: URL,
  timeoutMs: number,
  secure: buildConnector.connector,
): buildConnector.connector {
  const dial = buildConnector({ timeout: timeoutMs });
  const hostname = hostOfUrl(proxy);
  const endpoint = { hostname, host: proxy.host, protocol: 'http:', port: proxy.port || SOCKS_PORT };
  const credentials = credentialsOf(proxy);
  return (target, callback) => {
    const isSecure = target.protocol === 'https:';
    const order = { host: hostOfUrl(target), port: Number(target.port || (isSecure ? 443 : 80)), credentials };
    dial(endpoint, (error, socket) => {
      if (error !== null) return callback(error, null);
      negotiate(socket, order, timeoutMs).then(
        () => (isSecure ? secure({ ...target, httpSocket: socket }, callback) : callback(null, socket)),
        (thrown: unknown) => {
          socket.destroy();
          callback(asError(thrown), null);
        },
      ); // prettier-ignore
    });
  };
}

async function negotiate(socket: Socket, order: Socks5Order, timeoutMs: number): Promise<void> {
  const patience = new AbortController();
  const give = (reason: Error): void => patience.abort(reason);
  const timer = setTimeout(() => give(new Error(`it did not connect within ${timeoutMs} ms`)), timeoutMs);
  const onClose = (): void => give(new Error('it closed the connection'));
  socket.once('end', onClose).once('close', onClose);
  try {
    await connectBySocks5(socket, order, patience.signal);
  } catch (error) {
    // What `once` rejects with says only that it was aborted.
    throw patience.signal.aborted && !(error instanceof DfpeerError) ? patience.signal.reason : error;
  } finally {
    clearTimeout(timer);
    socket.off('end', onClose).off('close', onClose);
  }
}

function credentialsOf({ username, password }: URL): Socks5Order['credentials'] {
  if (username === '' && password === '') return undefined;
  return { user: decodePercent(username), password: decodePercent(password) };
}
