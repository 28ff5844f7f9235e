import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import type { ConnectionCaps } from '../../core/connection-caps.js';
import { closeServer, listen } from '../../core/listen.js';
import { type Logger, silentLogger } from '../../core/logger.js';
import type { UploadMetrics } from '../metrics.js';
import type { Serving } from '../serving.js';
import { limitUnsent } from '../unsent-limit.js';
import { FastLane } from './fast-lane.js';
import type { PieceHandler } from './handler.js';

/** Requests on one connection that may be under way before the first is answered. */
export const MAX_PIPELINED_REQUESTS = 32;
export const MAX_REQUEST_HEAD_BYTES = 8 * 1024;
export const MAX_REQUEST_HEADERS = 100;
export const DEFAULT_HEADERS_TIMEOUT_MS = 10_000;
export const DEFAULT_KEEP_ALIVE_TIMEOUT_MS = 60_000;
/** A short answer that the client doesn't take within this closes its connection. */
export const DEFAULT_ANSWER_TIMEOUT_MS = 30_000;

export interface HttpPieceServerOptions {
  serving: Serving;
  handler: PieceHandler;
  /** Whether plain requests are answered without the general HTTP server. Default true. */
  fastLane?: boolean;
  caps: ConnectionCaps;
  metrics: UploadMetrics;
  headersTimeoutMs?: number;
  keepAliveTimeoutMs?: number;
  logger?: Logger;
  clock?: Clock;
}

/** The piece server that curl, wget, aria2c and other dfpeers talk to. */
export class HttpPieceServer {
  readonly #options: HttpPieceServerOptions;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #fastLane: FastLane;
  readonly #underWay = new WeakMap<Socket, number>();

  constructor(options: HttpPieceServerOptions) {
    const headersTimeout = options.headersTimeoutMs ?? DEFAULT_HEADERS_TIMEOUT_MS;
    const keepAliveTimeout = options.keepAliveTimeoutMs ?? DEFAULT_KEEP_ALIVE_TIMEOUT_MS;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#server = createServer({
      maxHeaderSize: MAX_REQUEST_HEAD_BYTES,
      headersTimeout,
      requestTimeout: headersTimeout,
      keepAliveTimeout,
      connectionsCheckingInterval: Math.max(50, Math.ceil(headersTimeout / 10)),
      noDelay: true,
    });
    this.#server.maxHeadersCount = MAX_REQUEST_HEADERS;
    // A client may send FIN after its request: Node would shut our side down then, under a running sendfile. Its types lack this.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    const parse = takeConnectionListener(this.#server);
    this.#fastLane = new FastLane({
      serving: options.serving,
      maxHeadBytes: MAX_REQUEST_HEAD_BYTES,
      firstRequestTimeoutMs: headersTimeout,
      keepAliveTimeoutMs: keepAliveTimeout,
      leave: (socket, unanswered) => {
        if (unanswered.length > 0) socket.unshift(unanswered);
        parse(socket);
        socket.resume();
      },
      clock: this.#clock,
    });
    const serve = options.fastLane === false ? parse : (socket: Socket): void => this.#fastLane.enter(socket);
    this.#server.on('connection', (socket: Socket) => this.#onConnection(socket, serve));
    this.#server.on('request', (request, response) => void this.#onRequest(request, response));
  }

  /** Resolves with the port. @throws DFP_LISTEN */
  listen(ip: string, port: number): Promise<number> {
    const { logger = silentLogger } = this.#options;
    return listen(this.#server, { ip, port }, { logger, clock: this.#clock });
  }

  /** No new connections, and none that waits for its next request. */
  stopAccepting(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
    this.#fastLane.closeIdle();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#fastLane.destroyAll();
    await closeServer(this.#server);
  }

  #onConnection(socket: Socket, serve: (socket: Socket) => void): void {
    // Each pipelined request listens for the end of its connection.
    socket.setMaxListeners(2 * MAX_PIPELINED_REQUESTS);
    if (!this.#options.caps.accept(socket)) {
      this.#options.metrics.refused('http', 'connections');
      socket.destroy();
      return;
    }
    limitUnsent(socket);
    serve(socket);
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const underWay = (this.#underWay.get(socket) ?? 0) + 1;
    if (underWay > MAX_PIPELINED_REQUESTS) {
      this.#options.metrics.refused('http', 'bad-request');
      socket.destroy();
      return;
    }
    this.#underWay.set(socket, underWay);
    await this.#options.serving.answering(async () => {
      await this.#options.handler.handle(request, response);
      this.#expectTaken(response, socket);
      await handedOver(response, socket);
    });
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 1) - 1);
  }

  /** What was answered must also be taken: a client that doesn't read would hold its connection for ever. */
  #expectTaken(response: ServerResponse, socket: Socket): void {
    if (socket.writableLength === 0 || response.writableFinished || response.destroyed || response.socket === null)
      return;
    const cancel = this.#clock.after(DEFAULT_ANSWER_TIMEOUT_MS, () => socket.destroy(), { unref: true });
    response.once('close', cancel);
  }
}

/** Resolves once the kernel has the whole answer, or the connection is gone. */
async function handedOver(response: ServerResponse, socket: Socket): Promise<void> {
  if (response.writableFinished || response.destroyed || socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      response.off('close', settle);
      socket.off('close', settle);
      resolve();
    };
    response.once('close', settle);
    socket.once('close', settle);
  });
}

/** Node's own listener, which parses what a connection sends, taken off so that it can be called later or not at all. */
function takeConnectionListener(server: Server): (socket: Socket) => void {
  const listeners = server.listeners('connection');
  server.removeAllListeners('connection');
  return (socket) => {
    for (const listener of listeners) Reflect.apply(listener, server, [socket]);
  };
}
