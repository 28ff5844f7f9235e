import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { DfpeerError } from '../../../../src/core/errors.js';
import { formatPieceDigest, PieceLayout, type PieceSlice } from '../../../../src/core/piece.js';
import { parseTaskId } from '../../../../src/core/task-id.js';
import type { OriginContent } from '../../../../src/peer/fetch/piece-fetcher.js';

export const TASK_ID = parseTaskId('ab'.repeat(32));
export const PIECE_LENGTH = 256 * 1024;
/** Three whole pieces and a short one; no two pieces alike. */
export const CONTENT = Buffer.from(
  Uint32Array.from({ length: (3.5 * PIECE_LENGTH) / 4 }, (_, index) => Math.imul(index, 2654435761)).buffer,
);
export const LAYOUT = new PieceLayout(CONTENT.length, PIECE_LENGTH);

export function bytesOf({ offset, length }: { offset: number; length: number }): Buffer {
  return CONTENT.subarray(offset, offset + length);
}

export function digestOf(slice: PieceSlice): string {
  return formatPieceDigest(crc32(bytesOf(slice)));
}

/** A file of the content's size, all zeros; `clean` removes it. */
export class StoreFile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'dfpeer-fetch-'));
  readonly path = join(this.#directory, 'content');

  constructor() {
    writeFileSync(this.path, '');
    truncateSync(this.path, CONTENT.length);
  }

  read({ offset, length }: { offset: number; length: number }): Buffer {
    return readFileSync(this.path).subarray(offset, offset + length);
  }

  readAll(): Buffer {
    return readFileSync(this.path);
  }

  /** Another name of the file. */
  link(): string {
    const link = join(this.#directory, 'link');
    symlinkSync(this.path, link);
    return link;
  }

  clean(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Servers on ephemeral loopback ports, closed together with their connections. */
export class Servers {
  readonly #closers: (() => void)[] = [];

  async http(listener: RequestListener): Promise<{ port: number; url: string; server: Server }> {
    const server = createServer(listener);
    const port = await listen(server);
    this.#closers.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port, url: `http://127.0.0.1:${port}/file`, server };
  }

  async tcp(onSocket: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      onSocket(socket);
    });
    this.#closers.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return listen(server);
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }
}

async function listen(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A well-behaved origin of CONTENT; `change` may spoil the answer, by returning true it has given one of its own. */
export function origin(change?: (...args: Parameters<RequestListener>) => boolean | undefined): RequestListener {
  return (request, response) => {
    response.setHeader('ETag', '"v1"');
    response.setHeader('Last-Modified', 'Wed, 21 Oct 2015 07:28:00 GMT');
    if (change?.(request, response) === true) return;
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (match === null) return response.writeHead(200, { 'Content-Length': CONTENT.length }).end(CONTENT);
    const [first, last] = [Number(match[1]), Math.min(Number(match[2]), CONTENT.length - 1)];
    const range = `bytes ${first}-${last}/${CONTENT.length}`;
    response.writeHead(206, { 'Content-Length': last - first + 1, 'Content-Range': range });
    return response.end(CONTENT.subarray(first, last + 1));
  };
}

/** What statOrigin finds at `origin()`. */
export function foundAt(url: string, more: Partial<OriginContent> = {}): OriginContent {
  return {
    url,
    requestHeader: {},
    contentLength: CONTENT.length,
    etag: '"v1"',
    lastModified: 'Wed, 21 Oct 2015 07:28:00 GMT',
    supportsRange: true,
    responseHeader: {},
    trust: 'local-user',
    ...more,
  };
}

/** For assert.rejects: the code, and what the message must say. */
export function coded(code: string, text = /(?:)/): (error: DfpeerError) => boolean {
  return (error) => {
    if (error.code === code && text.test(error.message)) return true;
    throw new Error(`expected ${code} ${text.source}, got ${error.code}: ${error.message}`, { cause: error });
  };
}
