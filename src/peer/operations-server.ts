import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DfpeerError, errnoOf } from '../core/errors.js';
import type { ListenAddress } from './daemon-settings.js';

/** Scrapers and probes are few; more connections than this are turned away. */
export const MAX_OPERATIONS_CONNECTIONS = 64;
export const REQUEST_TIMEOUT_MS = 10_000;

/** What one path answers; read-only. */
export type OperationsAnswer = () => Promise<{ contentType: string; body: string }>;

/** A small read-only HTTP server: metrics on one port, health on another. */
export class OperationsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws DfpeerError DFP_LISTEN */
  static async start(
    listen: ListenAddress,
    answers: Readonly<Record<string, OperationsAnswer>>,
  ): Promise<OperationsServer> {
    const server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 8 * 1024 },
      (request, response) => {
        answer(answers, request, response).catch(() => response.destroy());
      },
    );
    server.maxConnections = MAX_OPERATIONS_CONNECTIONS;
    server.listen(listen.port, listen.ip);
    try {
      await once(server, 'listening');
    } catch (cause) {
      throw new DfpeerError(
        'DFP_LISTEN',
        `can't listen on ${listen.ip}:${listen.port}: ${errnoOf(cause) ?? String(cause)}; is another process using it?`,
        { cause },
      );
    }
    return new OperationsServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(
  answers: Readonly<Record<string, OperationsAnswer>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split('?')[0] ?? '';
  const found = Object.hasOwn(answers, path) ? answers[path] : undefined;
  if (found === undefined)
    return void response
      .writeHead(404, { 'content-type': 'text/plain' })
      .end(`nothing here; try ${Object.keys(answers).join(' or ')}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  try {
    const { contentType, body } = await found();
    response
      .writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
      .end(request.method === 'HEAD' ? undefined : body);
  } catch (error) {
    response
      .writeHead(500, { 'content-type': 'text/plain' })
      .end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
