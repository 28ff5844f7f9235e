import { type Socket, connect } from 'node:net';
import type { ByteRange, PieceSlice } from '../../../src/core/piece.js';
import type { TaskId } from '../../../src/core/task-id.js';
import { VortexDecoder, encodeRequest } from '../../../src/vortex/codec.js';
import type { VortexPacket } from '../../../src/vortex/packets.js';
import type { RunningService } from './service.js';

/** What a child got for a piece, by whichever protocol. */
export interface PieceAnswer {
  ok: boolean;
  /** HTTP status or vortex error code, 0 when fine. */
  code: number;
  text: string;
  body: Buffer;
  /** Of the piece, as the parent announced it. */
  digest: string | undefined;
}

export interface PieceClient {
  name: string;
  protocol: 'http' | 'vortex';
  /** Asks, and reads nothing yet. */
  ask(running: RunningService, taskId: TaskId, slice: PieceSlice): Socket;
  /** Everything until the server closes, taken apart. */
  parse(bytes: Buffer): PieceAnswer;
}

export const httpClient: PieceClient = {
  name: 'http',
  protocol: 'http',
  ask(running, taskId, slice) {
    const socket = connect(running.httpPort, '127.0.0.1');
    socket.write(httpRequest(taskId, slice));
    return socket.pause();
  },
  parse(bytes) {
    const { status, headers, body } = parseHttp(bytes);
    const ok = status === 200 || status === 206;
    return {
      ok,
      code: ok ? 0 : status,
      text: ok ? '' : body.toString(),
      body,
      digest: headers.get('dfpeer-piece-digest'),
    };
  },
};

/** Its requests are not plain, and so leave the fast lane. */
export const generalHttpClient: PieceClient = {
  ...httpClient,
  name: "Node's HTTP server",
  ask(running, taskId, slice) {
    const socket = connect(running.httpPort, '127.0.0.1');
    socket.write(httpRequest(taskId, slice, 'Accept-Language: en\r\nConnection: close\r\n'));
    return socket.pause();
  },
};

export const vortexClient: PieceClient = {
  name: 'vortex',
  protocol: 'vortex',
  ask(running, taskId, slice) {
    const socket = connect({ port: running.vortexPort, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(encodeRequest(taskId, slice.number));
    return socket.pause();
  },
  parse(bytes) {
    const { packet, rest } = parseVortex(bytes);
    if (packet?.kind === 'content') return { ok: true, code: 0, text: '', body: rest, digest: packet.metadata.digest };
    if (packet?.kind === 'error')
      return { ok: false, code: packet.code, text: packet.message, body: rest, digest: undefined };
    throw new Error(`no answer in ${bytes.length} bytes`);
  },
};

export async function fetchPiece(
  client: PieceClient,
  running: RunningService,
  taskId: TaskId,
  slice: PieceSlice,
): Promise<PieceAnswer> {
  const socket = client.ask(running, taskId, slice);
  let failure: Error | undefined;
  socket.once('error', (error) => (failure = error));
  const bytes = await readToEnd(socket);
  if (bytes.length === 0 && failure !== undefined) throw failure;
  return client.parse(bytes);
}

/** Everything that comes until the other end closes; a reset ends it as well. */
export async function readToEnd(socket: Socket, onChunk?: (chunk: Buffer) => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    onChunk?.(chunk);
  });
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    socket.once('end', () => socket.end());
    socket.once('close', () => resolve());
    socket.resume();
  });
  return Buffer.concat(chunks);
}

export function httpRequest(taskId: TaskId, range: ByteRange, extra = 'Connection: close\r\n'): string {
  const last = range.offset + range.length - 1;
  return `GET /download/${taskId.slice(0, 3)}/${taskId}?peerId=a-child HTTP/1.1\r\nHost: peer\r\nRange: bytes=${range.offset}-${last}\r\n${extra}\r\n`;
}

export interface HttpAnswer {
  status: number;
  headers: Map<string, string>;
  body: Buffer;
  /** What follows the body on a kept connection. */
  rest: Buffer;
}

export function parseHttp(bytes: Buffer): HttpAnswer {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) throw new Error(`no HTTP head in ${bytes.length} bytes`);
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = bytes.subarray(headEnd + 4);
  const length = Number(headers.get('content-length') ?? body.length);
  const status = Number(statusLine.split(' ')[1]);
  return { status, headers, body: body.subarray(0, length), rest: body.subarray(length) };
}

export function parseVortex(bytes: Buffer): { packet: VortexPacket | undefined; rest: Buffer } {
  const decoder = new VortexDecoder();
  decoder.push(bytes);
  const packet = decoder.next();
  return { packet, rest: decoder.takeRest() };
}
