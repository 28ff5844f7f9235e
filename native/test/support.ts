import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineOptions, SendFileResult } from '../index.js';
import { nativeSupport, SendFileEngine } from '../index.js';

/** Skips a suite loudly where nothing of it can run. */
export function requireNative(context: Mocha.Context): void {
  const support = nativeSupport();
  if (support.available) return;
  console.warn(`skipped: ${support.reason}`);
  context.skip();
}

/** A file of random bytes, open for reading. */
export interface TestFile {
  fd: number;
  path: string;
  bytes: Buffer;
}

export interface SocketPair {
  /** The accepted side, which the engine sends to. */
  server: Socket;
  client: Socket;
}

/** Files, sockets and engines that are gone after each test: call inside describe(). */
export function useNative(): {
  file: (length: number) => TestFile;
  sparseFile: (length: number) => TestFile;
  pair: () => Promise<SocketPair>;
  engine: (options?: EngineOptions) => SendFileEngine;
} {
  const cleanups: (() => unknown)[] = [];
  let directory = '';
  let listening: Promise<Server> | undefined;
  let files = 0;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'native-test-'));
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    (await listening)?.close();
    listening = undefined;
    rmSync(directory, { recursive: true, force: true });
  });
  const open = (bytes: Buffer): TestFile => {
    const path = join(directory, String(files++));
    writeFileSync(path, bytes);
    const fd = openSync(path, 'r');
    cleanups.push(() => closeSync(fd));
    return { fd, path, bytes };
  };
  return {
    file: (length) => open(randomBytes(length)),
    sparseFile: (length) => open(Buffer.alloc(length)),
    async pair() {
      const server = await (listening ??= listen());
      const { port } = server.address() as AddressInfo;
      const client = connect({ port, host: '127.0.0.1' });
      await once(client, 'connect');
      const accepted = await acceptedFrom(server, client.localPort);
      for (const socket of [accepted, client]) {
        socket.on('error', () => undefined);
        cleanups.push(() => socket.destroy());
      }
      return { server: accepted, client };
    },
    engine(options) {
      const engine = new SendFileEngine(options);
      cleanups.push(() => engine.close());
      return engine;
    },
  };
}

const accepted = new WeakMap<Server, Map<number | undefined, Socket>>();

async function listen(): Promise<Server> {
  const sockets = new Map<number | undefined, Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.set(socket.remotePort, socket);
    server.emit('accepted');
  });
  server.setMaxListeners(0);
  accepted.set(server, sockets);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The accepted side of the connection that comes from this port. */
async function acceptedFrom(server: Server, port: number | undefined): Promise<Socket> {
  for (;;) {
    const socket = accepted.get(server)?.get(port);
    if (socket !== undefined) return socket;
    await once(server, 'accepted');
  }
}

/** Reads exactly `length` bytes; rejects when the connection ends before. */
export function receive(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const finish = (error?: Error): void => {
      socket.off('data', onData).off('close', onClose);
      socket.pause();
      if (error === undefined) resolve(Buffer.concat(chunks));
      else reject(error);
    };
    const onClose = (): void => finish(new Error(`closed after ${received} of ${length} bytes`));
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      received += chunk.length;
      if (received >= length) finish();
    };
    socket.on('data', onData).on('close', onClose);
    if (length === 0) finish();
    else socket.resume();
  });
}

/** Everything until the other side ends. */
export async function receiveAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Resolves when the socket's buffers are full, so that a transfer of `bytesSent` no longer moves. */
export async function whenStalled(transfer: {
  readonly bytesSent: number;
  done: Promise<SendFileResult>;
}): Promise<void> {
  let settled = false;
  void transfer.done.then(() => (settled = true));
  for (let before = -1, same = 0; same < 5 && !settled;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    same = transfer.bytesSent === before && before > 0 ? same + 1 : 0;
    before = transfer.bytesSent;
  }
}
