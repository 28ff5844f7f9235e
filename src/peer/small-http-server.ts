import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { closeServer, listen, type ListenOptions } from '../core/listen.js';
import { NewestConnections } from '../core/newest-connections.js';
import type { ListenAddress } from './daemon-settings.js';

/** Scrapers, probes and browsers are few. */
export const MAX_SMALL_SERVER_CONNECTIONS = 128;
export const MAX_SMALL_SERVER_CONNECTIONS_PER_IP = 32;
/** Of one connection, before the first is answered: a packet of two thousand requests would keep the daemon busy for seconds. */
export const MAX_SMALL_SERVER_PIPELINED_REQUESTS = 4;
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
    const underWay = new RequestsUnderWay();
    const server = createServer(
      {
        headersTimeout: headTimeoutMs,
        requestTimeout: SMALL_SERVER_REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_INTERVAL_MS,
        maxHeaderSize: MAX_HEAD_BYTES,
      },
      (request, response) => {
        const { socket } = request;
        if (underWay.add(socket, response) > MAX_SMALL_SERVER_PIPELINED_REQUESTS) return void socket.destroy();
        connections.renew(socket);
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

class RequestsUnderWay {
  readonly #counts = new WeakMap<Socket, number>();

  /** Counts the request until its answer has left. Returns how many its connection has now. */
  add(socket: Socket, response: ServerResponse): number {
    const count = this.#of(socket) + 1;
    this.#counts.set(socket, count);
    response.once('close', () => this.#counts.set(socket, this.#of(socket) - 1));
    return count;
  }

  #of(socket: Socket): number {
    return this.#counts.get(socket) ?? 0;
  }
}
