import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseRangeHeader } from '../../src/core/byte-range.js';
import { drained } from './drained.js';

export interface OriginRequest {
  method: string;
  path: string;
  range: string | undefined;
  authorization: string | undefined;
  /** Body bytes that were handed to the socket. */
  bytes: number;
}

/** How an origin may treat its clients. */
export interface OriginBehaviour {
  ignoresRange?: boolean;
  /** Answers with chunks and no Content-Length, and without ranges. */
  hidesLength?: boolean;
  /** Answers everything with this status. */
  status?: number;
  /** Whoever asks for content while so many have not got theirs is turned away (503). */
  atOnce?: number;
  /** Undefined: of its length; null: none; several: each answer has the next of them. */
  etag?: string | readonly string[] | null;
  /** Mean rate over all requests together. */
  bytesPerSecond?: number;
  /** Bytes of content after which nobody gets any more, though the connections stay. */
  silentAfterBytes?: number;
  /** Comes between the first half of each answer and the rest; when it rejects, the rest does not come. */
  halfTime?: Promise<void>;
}

/** A real HTTP server that counts what it gives. */
export class Origin {
  static #started = 0;
  content: Buffer;
  readonly requests: OriginRequest[] = [];
  behaviour: OriginBehaviour;
  readonly #server: Server;
  /** The system gives a port again: without it the URL of an earlier origin, which a daemon knows, might come back. */
  readonly #name = `origin-${++Origin.#started}`;
  #sending = 0;
  #budgetStartMs = 0;
  #budgetUsed = 0;

  private constructor(content: Buffer, behaviour: OriginBehaviour) {
    this.content = content;
    this.behaviour = behaviour;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(content: number | Buffer, behaviour: OriginBehaviour = {}, host = '127.0.0.1'): Promise<Origin> {
    const origin = new Origin(typeof content === 'number' ? randomBytes(content) : content, behaviour);
    origin.#server.listen(0, host);
    await once(origin.#server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/file.bin'): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}/${this.#name}${path}`;
  }

  get sha256(): string {
    return createHash('sha256').update(this.content).digest('hex');
  }

  /** Body bytes given so far, one-byte probes left out. */
  get contentBytes(): number {
    return this.requests.filter(({ range }) => range !== 'bytes=0-0').reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Another content under the same URLs from now on. */
  replace(content: Buffer, behaviour: OriginBehaviour): void {
    this.content = content;
    this.behaviour = behaviour;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { behaviour, content } = this;
    const seen: OriginRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      range: request.headers.range,
      authorization: request.headers.authorization,
      bytes: 0,
    };
    this.requests.push(seen);
    if (behaviour.status !== undefined)
      return void response.writeHead(behaviour.status, { 'x-why': 'told so' }).end('no');
    const isProbe = request.headers.range === 'bytes=0-0';
    if (!isProbe && this.#sending >= (behaviour.atOnce ?? Infinity)) return void response.writeHead(503).end('busy');
    const told = behaviour.etag === undefined ? `"${content.length}"` : behaviour.etag;
    const etag = told instanceof Array ? told[this.requests.length % told.length] : told;
    const ranges = behaviour.ignoresRange !== true && behaviour.hidesLength !== true;
    const parsed = ranges ? parseRangeHeader(request.headers.range, content.length) : ({ kind: 'none' } as const);
    if (parsed.kind === 'unsatisfiable')
      return void response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    const { offset, length } = parsed.kind === 'range' ? parsed.range : { offset: 0, length: content.length };
    if (typeof etag === 'string') response.setHeader('etag', etag);
    if (ranges) response.setHeader('accept-ranges', 'bytes');
    if (behaviour.hidesLength !== true) response.setHeader('content-length', length);
    if (parsed.kind === 'range')
      response.setHeader('content-range', `bytes ${offset}-${offset + length - 1}/${content.length}`);
    response.writeHead(parsed.kind === 'range' ? 206 : 200);
    if (request.method === 'HEAD') return void response.end();
    this.#sending++;
    try {
      await this.#send(response, content.subarray(offset, offset + length), seen);
    } finally {
      this.#sending--;
    }
    response.end();
  }

  async #send(response: ServerResponse, body: Buffer, seen: OriginRequest): Promise<void> {
    const chunk = this.behaviour.bytesPerSecond === undefined ? 1024 * 1024 : 64 * 1024;
    for (let sent = 0; sent < body.length && !response.destroyed; sent += chunk) {
      if (sent >= body.length / 2) await this.behaviour.halfTime;
      const part = body.subarray(sent, sent + chunk);
      if (this.contentBytes + part.length > (this.behaviour.silentAfterBytes ?? Infinity))
        await once(response, 'close');
      seen.bytes += part.length;
      await this.#pace(part.length);
      if (!response.write(part)) await drained(response);
    }
  }

  async #pace(bytes: number): Promise<void> {
    const { bytesPerSecond } = this.behaviour;
    if (bytesPerSecond === undefined) return;
    const nowMs = performance.now();
    if (this.#budgetUsed === 0) this.#budgetStartMs = nowMs;
    this.#budgetUsed += bytes;
    const dueMs = this.#budgetStartMs + (this.#budgetUsed / bytesPerSecond) * 1000;
    if (dueMs > nowMs) await new Promise((resolve) => setTimeout(resolve, dueMs - nowMs));
  }
}
