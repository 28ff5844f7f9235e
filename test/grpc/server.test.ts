import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventEmitter, once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client, credentials, makeClientConstructor, status, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';
import { silentLogger } from '../../src/core/logger.js';
import { unary } from '../../src/grpc/handlers.js';
import { Scheduler } from '../../src/grpc/protos.js';
import { RequestGate } from '../../src/grpc/request-gate.js';
import { startGrpcServer, type GrpcServer, type GrpcServerOptions } from '../../src/grpc/server.js';
import { HTTP2_PREFACE } from '../attacks/support/http2-attacker.js';
import { ManualClock } from '../support/manual-clock.js';

const NAME = 'scheduler.v2.Scheduler';

/** A service of one method, which is enough to serve. */
const SERVICE = {
  name: NAME,
  definition: { DeleteHost: Scheduler.service.DeleteHost } as ServiceDefinition,
  implementation: {
    DeleteHost: unary('scheduler.v2.DeleteHostRequest', silentLogger, ({ hostId }) => {
      if (hostId === 'bug') throw new TypeError('x is not a function');
      return {};
    }),
  },
};

function start(options: Partial<GrpcServerOptions> = {}): Promise<GrpcServer> {
  return startGrpcServer({
    listen: { ip: '127.0.0.1', port: 0 },
    services: [SERVICE],
    logger: silentLogger,
    ...options,
  });
}

async function deleteHost(address: string, hostId = 'h', deadline = Infinity): Promise<status> {
  const client = new Scheduler(address, credentials.createInsecure());
  try {
    return await new Promise((resolve) =>
      client.deleteHost({ hostId }, { deadline }, (error) => resolve(error?.code ?? status.OK)),
    );
  } finally {
    client.close();
  }
}

async function health(address: string, service: string): Promise<string> {
  const client = new (makeClientConstructor(healthService, 'Health'))(address, credentials.createInsecure());
  try {
    return await new Promise((resolve) => {
      const check = client.check as (
        request: object,
        done: (error: { code: status } | null, response?: { status: string }) => void,
      ) => void;
      check.call(client, { service }, (error, response) =>
        resolve(error === null ? (response?.status ?? '') : (status[error.code] ?? '')),
      );
    });
  } finally {
    client.close();
  }
}

describe('a gRPC server', () => {
  it('answers health for itself and for its services, and says when it stops serving', async () => {
    const server = await start();
    assert.equal(await health(server.address, ''), 'SERVING');
    assert.equal(await health(server.address, NAME), 'SERVING');
    assert.equal(await health(server.address, 'unknown'), 'NOT_FOUND');
    server.setServing(false);
    assert.equal(await health(server.address, ''), 'NOT_SERVING');
    await server.stop(100);
  });

  it('tells what it serves by reflection, v1 and v1alpha', async () => {
    const server = await start();
    for (const version of ['v1', 'v1alpha']) {
      const { listServicesResponse } = await reflect(server.address, version, { listServices: '' });
      const names = listServicesResponse?.service.map(({ name }) => name);
      assert.deepEqual(names, [NAME], version);
    }
    await server.stop(100);
  });

  it('gives the files of every message by reflection', async () => {
    const server = await start();
    for (const symbol of ['common.v2.Peer', 'dfdaemon.v2.DfdaemonUpload', NAME, 'manager.v2.Manager']) {
      const { fileDescriptorResponse } = await reflect(server.address, 'v1', { fileContainingSymbol: symbol });
      const [file] = fileDescriptorResponse?.fileDescriptorProto ?? [];
      assert.ok(file?.includes(symbol.split('.').at(-1) ?? ''), `no file for ${symbol}`);
    }
    await server.stop(100);
  });

  it('turns what a handler throws into a status, and goes on', async () => {
    const server = await start();
    assert.equal(await deleteHost(server.address, ''), status.INVALID_ARGUMENT);
    assert.equal(await deleteHost(server.address, 'bug'), status.INTERNAL);
    assert.equal(await deleteHost(server.address), status.OK);
    await server.stop(100);
  });

  it('serves this user on a unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dfpeer-grpc-'));
    const socketPath = join(directory, 's.sock');
    const server = await start({ listen: { socketPath } });
    assert.equal(statSync(socketPath).mode & 0o777, 0o600);
    assert.equal(await deleteHost(`unix:${server.address}`), status.OK);
    await server.stop(100);
    rmSync(directory, { recursive: true });
  });

  it('drops who answers no ping, but not a process of this host, which may be stopped for a while', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dfpeer-grpc-'));
    const limits = { keepaliveMs: 50, keepaliveTimeoutMs: 50 };
    const path = join(directory, 'socket');
    const servers = [await start({ limits, listen: { socketPath: path } }), await start({ limits })] as const;
    const [local, remote] = [connect(path), connect(servers[1].port, '127.0.0.1')];
    for (const socket of [local, remote]) socket.on('error', () => undefined).resume();
    const dropped = once(remote, 'close');
    local.write(HTTP2_PREFACE);
    await once(local, 'data');
    remote.write(HTTP2_PREFACE);
    await dropped;
    assert.equal(local.destroyed, false);
    local.destroy();
    for (const server of servers) await server.stop(100);
    rmSync(directory, { recursive: true });
  });

  it('serves the connections that a listener of somebody else hands over', async () => {
    const accepted: Socket[] = [];
    const createListener = (onHttp2: (socket: Socket) => void): Server =>
      createServer((socket) => {
        accepted.push(socket);
        onHttp2(socket);
      });
    const server = await start({ createListener });
    assert.equal(await deleteHost(server.address), status.OK);
    assert.equal(accepted.length, 1);
    await server.stop(100);
  });

  it('closes a connection too many, and serves again when one has left', async () => {
    const server = await start({ limits: { maxConnections: 1 } });
    const first = connect(server.port, '127.0.0.1');
    await once(first, 'connect');
    const second = connect(server.port, '127.0.0.1');
    await closed(second);
    first.destroy();
    await closed(first);
    while ((await deleteHost(server.address)) !== status.OK);
    await server.stop(100);
  });

  it('refuses a message that is too large', async () => {
    const server = await start({ limits: { maxMessageBytes: 1000 } });
    assert.equal(await deleteHost(server.address, 'x'.repeat(2000)), status.RESOURCE_EXHAUSTED);
    await server.stop(100);
  });

  it('lets a running call finish when it stops', async () => {
    const calls = new EventEmitter();
    const handler = (_: unknown, answer: (error: null, response: object) => void): void =>
      void calls.emit('begun', () => answer(null, {}));
    const server = await start({ services: [{ ...SERVICE, implementation: { DeleteHost: handler } }] });
    const begun = once(calls, 'begun');
    const code = deleteHost(server.address);
    const [finish] = (await begun) as [() => void];
    const stopped = server.stop(60_000);
    // A shutdown without grace resets the call meanwhile.
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    finish();
    assert.equal(await code, status.OK);
    await stopped;
  });

  for (const [name, deadlineMs, expected] of [
    ['longer than a timer can wait', 30 * 86_400_000, status.OK],
    ['that passes', 100, status.DEADLINE_EXCEEDED],
  ] as const)
    it(`keeps to a deadline ${name}`, async () => {
      // Later than a deadline that is over at once, earlier than the end of the test.
      const handler = (_: unknown, answer: (error: null, response: object) => void): void =>
        void setTimeout(() => answer(null, {}), 300);
      const server = await start({ services: [{ ...SERVICE, implementation: { DeleteHost: handler } }] });
      assert.equal(await deleteHost(server.address, 'h', Date.now() + deadlineMs), expected);
      await server.stop(0);
    });

  it('stops although a client stays connected', async () => {
    const server = await start();
    const idle = connect(server.port, '127.0.0.1');
    await once(idle, 'connect');
    await Promise.all([server.stop(10), closed(idle)]);
  });

  it('says what it could not listen on', async () => {
    const server = await start();
    await assert.rejects(start({ listen: { ip: '127.0.0.1', port: server.port } }), {
      code: 'DFP_LISTEN',
      message: new RegExp(`127.0.0.1:${server.port}.*EADDRINUSE`),
    });
    await server.stop(100);
  });
});

describe('the request gate', () => {
  it('lets a burst of one second pass, then its rate', () => {
    const clock = new ManualClock();
    const gate = new RequestGate(10, clock);
    const passing = (tries: number): number =>
      Array.from({ length: tries }, () => gate.tryPass()).filter(Boolean).length;
    assert.equal(passing(20), 10);
    clock.advance(300);
    assert.equal(passing(20), 3);
    clock.advance(60_000);
    assert.equal(passing(20), 10);
  });
});

async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  socket.resume();
  if (!socket.destroyed) await once(socket, 'close');
}

async function reflect(address: string, version: string, request: object): Promise<ReflectionAnswer> {
  const directory = join(import.meta.dirname, '../../../node_modules/@grpc/reflection/build/proto');
  const loaded = loadSync(`grpc/reflection/${version}/reflection.proto`, { includeDirs: [directory], oneofs: true });
  const definition = loaded[`grpc.reflection.${version}.ServerReflection`] as ServiceDefinition;
  const method = definition.ServerReflectionInfo;
  assert.ok(method);
  const client = new Client(address, credentials.createInsecure());
  const call = client.makeBidiStreamRequest<object, ReflectionAnswer>(
    method.path,
    method.requestSerialize,
    method.responseDeserialize as (bytes: Buffer) => ReflectionAnswer,
  );
  call.write(request);
  const answer = await new Promise<ReflectionAnswer>((resolve) => call.once('data', resolve));
  const ended = once(call, 'end');
  call.end();
  await ended;
  client.close();
  return answer;
}

interface ReflectionAnswer {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
}
