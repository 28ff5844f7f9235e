import { createServer, type RequestListener, type Server } from 'node:http';
import { closeServer, listen, type ListenOptions } from '../core/listen.js';
import { NewestConnections } from '../core/newest-connections.js';
import type { ListenAddress } from './daemon-settings.js';

/** Scrapers, probes and browsers are few. */
export const MAX_SMALL_SERVER_CONNECTIONS = 128;
export const MAX_SMALL_SERVER_CONNECTIONS_PER_IP = 32;
/** From the start of a connection, or of a further request on it, to the end of the head. */
export const SMALL_SERVER_HEAD_TIMEOUT_MS = 5_000;
export const SMALL_SERVER_REQUEST_TIMEOUT_MS = 10_000;
/** A client that neither asks nor takes anything. */
export const SMALL_SERVER_SILENCE_TIMEOUT_MS = 60_000;
/** Of Node's look at the two; its own 30 seconds would be the bound. */
const CHECK_INTERVAL_MS = 1_000;
const MAX_HEAD_BYTES = 16 * 1024;

export interface SmallHttpServerOptions extends ListenOptions {
  /** Default {@link SMALL_SERVER_HEAD_TIMEOUT_MS}. */
  headTimeoutMs?: number;
}

/** An HTTP server with short answers for few clients: metrics, health, the status page. Whoever sits on it keeps nobody else away. */
export class SmallHttpServer {
  readonly #server: Server;
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @throws DfpeerError DFP_LISTEN */
  static async start(
    { ip, port }: ListenAddress,
    onRequest: RequestListener,
    { headTimeoutMs = SMALL_SERVER_HEAD_TIMEOUT_MS, ...options }: SmallHttpServerOptions,
  ): Promise<SmallHttpServer> {
    const connections = new NewestConnections({
      max: MAX_SMALL_SERVER_CONNECTIONS,
      maxPerIp: MAX_SMALL_SERVER_CONNECTIONS_PER_IP,
    });
    const server = createServer(
      {
        headersTimeout: headTimeoutMs,
        requestTimeout: SMALL_SERVER_REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
        maxHeaderSize: MAX_HEAD_BYTES,
      },
      (request, response) => {
        connections.renew(request.socket);
        onRequest(request, response);
      },
    );
    server.timeout = SMALL_SERVER_SILENCE_TIMEOUT_MS;
    server.on('connection', (socket) => connections.add(socket));
    return new SmallHttpServer(server, await listen(server, { ip, port }, options));
  }

  async close(): Promise<void> {
    const closed = closeServer(this.#server);
    this.#server.closeAllConnections();
    await closed;
  }
}
