import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { AddressInfo, Server } from 'node:net';
import { connect } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { createSharedPortServer } from '../../src/upload/index.js';
import { encodeRequest } from '../../src/vortex/codec.js';
import { sniffProtocol } from '../../src/upload/vortex/sniff.js';
import { parseVortex, readToEnd } from './support/clients.js';
import { type RunningService, startService } from './support/service.js';

const identity = (bytes: Buffer): Buffer => bytes;
const method = {
  path: '/test.Echo/Say',
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
} as const;
const echoService = { say: method };
type EchoClient = grpc.Client & {
  say(request: Buffer, callback: (error: grpc.ServiceError | null, answer?: Buffer) => void): void;
};

describe('a port shared by gRPC and vortex', () => {
  let running: RunningService;
  let grpcServer: grpc.Server;
  let shared: Server;
  let port: number;

  before(async () => {
    running = await startService();
    grpcServer = new grpc.Server();
    grpcServer.addService(echoService, {
      say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) =>
        callback(null, call.request),
    });
    const injector = grpcServer.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    shared = createSharedPortServer({
      onHttp2: (socket) => injector.injectConnection(socket),
      onVortex: (socket, firstBytes) => running.service.handleVortex(socket, firstBytes),
      maxConnections: 100,
      sniffTimeoutMs: 1500,
    });
    await new Promise<void>((resolve) => shared.listen(0, '127.0.0.1', resolve));
    port = (shared.address() as AddressInfo).port;
  });

  after(async () => {
    grpcServer.forceShutdown();
    await running.stop();
    await new Promise((resolve) => shared.close(resolve));
  });

  async function say(client: EchoClient, bytes: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      client.say(bytes, (error, answer) => (error === null ? resolve(answer) : reject(error)));
    });
  }

  it('serves calls and pieces side by side', async () => {
    const task = running.source.add({ content: randomBytes(3_000_000), pieceLength: 3_000_000 });
    const Echo = grpc.makeGenericClientConstructor(echoService, 'test.Echo');
    const client = new Echo(`127.0.0.1:${port}`, grpc.credentials.createInsecure()) as unknown as EchoClient;
    for (let round = 0; round < 3; round++) {
      const bytes = randomBytes(100_000);
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end(encodeRequest(task.taskId, 0, 0x50));
      const [answer, piece] = await Promise.all([say(client, bytes), readToEnd(socket)]);
      assert.deepEqual(answer, bytes);
      assert.ok(parseVortex(piece).rest.equals(task.content));
    }
    client.close();
    assert.equal(
      await running.metric('dfpeer_upload_bytes_total', { protocol: 'vortex', route: 'sendfile' }),
      3 * task.content.length,
    );
  });

  it('waits for the byte that tells, however it arrives', async () => {
    const task = running.source.add({ content: randomBytes(10) });
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const request = encodeRequest(task.taskId, 0);
    socket.write(request.subarray(0, 1));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(request.subarray(1));
    assert.deepEqual(parseVortex(await readToEnd(socket)).rest, task.content);
  });

  it('closes what is neither, and what stays silent', async () => {
    const answers = ['GET / HTTP/1.1\r\n\r\n', '', 'P'].map((bytes) => {
      const socket = connect(port, '127.0.0.1');
      if (bytes !== '') socket.write(bytes);
      return readToEnd(socket);
    });
    for (const answer of await Promise.all(answers)) assert.equal(answer.length, 0);
  });

  it('tells them apart by two bytes', () => {
    assert.equal(sniffProtocol(Buffer.from('PRI * HTTP/2.0')), 'http2');
    assert.equal(sniffProtocol(Buffer.from([0x16, 0x03])), 'http2');
    for (const tag of [0, 2, 4]) assert.equal(sniffProtocol(Buffer.from([0x50, tag])), 'vortex');
    for (const second of [1, 3, 5, 0x45, 254, 255]) assert.equal(sniffProtocol(Buffer.from([0, second])), 'unknown');
  });
});
