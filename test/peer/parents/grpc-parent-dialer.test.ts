import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { computeTaskId } from '../../../src/core/task-id.js';
import { HeldPieces } from '../../../src/peer/download/held-pieces.js';
import { GrpcParentDialer } from '../../../src/peer/parents/grpc-parent-dialer.js';

async function listen(): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe('dialling a parent', () => {
  const proxied = process.env.http_proxy;
  let servers: { parent: Server; proxy: Server };

  beforeEach(async () => {
    servers = { parent: await listen(), proxy: await listen() };
    process.env.http_proxy = `http://127.0.0.1:${portOf(servers.proxy)}`;
  });
  afterEach(() => {
    for (const server of Object.values(servers)) server.close();
    if (proxied === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = proxied;
  });

  it('goes past the proxy that origins are asked through', async () => {
    const dialer = new GrpcParentDialer({ hostId: 'child' });
    const over = new AbortController();
    const parent = {
      ...{ peerId: 'parent', hostId: 'host', hostname: 'host', ip: '127.0.0.1', port: portOf(servers.parent) },
      ...{ isSeed: false, state: 'Running', maxTxBitsPerSecond: 0, txBitsPerSecond: 0, wire: undefined },
    };
    const taskId = computeTaskId({ url: 'http://example.com/' });
    const request = { taskId, pieces: [0], held: new HeldPieces(() => undefined), traceParent: undefined };
    const offers = dialer.syncPieces(parent, request, over.signal)[Symbol.asyncIterator]();
    const asked = offers.next();
    const first = await Promise.race([
      once(servers.parent, 'connection').then(() => 'the parent'),
      once(servers.proxy, 'connection').then(() => 'the proxy'),
    ]);
    over.abort();
    await asked;
    dialer.close();
    assert.equal(first, 'the parent');
  });
});
