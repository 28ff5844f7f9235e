import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { HeldPieces } from '../../../src/peer/download/held-pieces.js';
import type { SyncPiecesRequest__Output } from '../../../src/generated/dfdaemon/v2/SyncPiecesRequest.js';
import type { SyncPiecesResponse } from '../../../src/generated/dfdaemon/v2/SyncPiecesResponse.js';
import { DfdaemonUpload } from '../../../src/grpc/protos.js';
import { startGrpcServer, type GrpcServer } from '../../../src/grpc/server.js';
import { GrpcParentDialer } from '../../../src/peer/parents/grpc-parent-dialer.js';
import type { ParentEndpoint } from '../../../src/peer/fetch/piece-fetcher.js';
import type { OffersRequest } from '../../../src/peer/parents/parent-dialer.js';
import type { CandidateParent } from '../../../src/scheduler-client/scheduler-client.js';

async function listen(): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const parentAt = (port: number): CandidateParent => ({
  ...{ peerId: 'parent', hostId: 'host', hostname: 'host', ip: '127.0.0.1', port, idc: undefined },
  ...{ isSeed: false, state: 'Running', maxTxBitsPerSecond: 0, txBitsPerSecond: 0, wire: undefined },
});
const taskId = computeTaskId({ url: 'http://example.com/' });
const requestOf = (pieces: number[]): OffersRequest => ({
  ...{ taskId, pieces, held: new HeldPieces(() => undefined), traceParent: undefined },
});

function startParent(
  syncPieces: (call: ServerWritableStream<SyncPiecesRequest__Output, SyncPiecesResponse>) => void,
): Promise<GrpcServer> {
  const name = 'dfdaemon.v2.DfdaemonUpload';
  const services = [{ name, definition: DfdaemonUpload.service, implementation: { SyncPieces: syncPieces } }];
  return startGrpcServer({ listen: { ip: '127.0.0.1', port: 0 }, services, logger: silentLogger });
}

describe('asking a parent', () => {
  for (const [what, place] of [
    ["this host's own services", { ip: '127.0.0.5' }],
    ["this host's own services in other words", { ip: '::ffff:127.0.0.5' }],
    ['the metadata of a cloud', { ip: '169.254.169.254' }],
    ['everybody', { ip: '255.255.255.255' }],
    ['what is no address, though it has colons', { ip: 'a:b' }],
    ['no port', { ip: '127.0.0.1', tcpPort: 0 }],
    ['a negative port', { ip: '127.0.0.1', tcpPort: -1 }],
    ['a port that is too large', { ip: '127.0.0.1', tcpPort: 65_536 }],
  ] as const)
    it(`does not lead to ${what}`, async () => {
      await assert.rejects(firstOffer({ tcpPort: 6379, ...place }), { code: 'DFP_PARENT_PROTOCOL' });
    });

  it('may lead to another address of the cluster', async () => {
    assert.deepEqual(await firstOffer({ ip: '10.1.2.3', tcpPort: 4005 }), {
      ...{ protocol: 'vortex', host: '10.1.2.3', port: 4005 },
    });
  });

  async function firstOffer(place: { ip: string; tcpPort: number }): Promise<ParentEndpoint | undefined> {
    const server = await startParent((call) => {
      call.write({ number: 0, offset: 0, length: 1, ...place });
      call.end();
    });
    const dialer = new GrpcParentDialer({ hostId: 'child' });
    try {
      const offers = dialer.syncPieces(parentAt(server.port), requestOf([0]), new AbortController().signal);
      const first = await offers.next();
      return first.done === true ? undefined : first.value.endpoint;
    } finally {
      dialer.close();
      await server.stop(0);
    }
  }
});

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
    const offers = dialer.syncPieces(parentAt(portOf(servers.parent)), requestOf([0]), over.signal);
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

describe('a parent that is gone without a word', () => {
  it('is found out by its silence to pings, though it had spoken before', async () => {
    const parent = await startParent((call) => {
      call.write({ number: 0, offset: 0, length: 1, ip: '127.0.0.1', tcpPort: 4005 });
    });
    const line = await Line.to(parent.port);
    const dialer = new GrpcParentDialer({ hostId: 'child', pingIntervalMs: 20, pingTimeoutMs: 200 });
    try {
      const offers = dialer.syncPieces(parentAt(line.port), requestOf([0, 1]), new AbortController().signal);
      assert.equal((await offers.next()).done, false);
      line.cut();
      await assert.rejects(offers.next(), { code: 'DFP_PARENT_UNREACHABLE' });
    } finally {
      dialer.close();
      line.close();
      await parent.stop(0);
    }
  });
});

/** What comes at `port` goes on to a server, until the line is cut: then nothing moves, and nobody is told. */
class Line {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    server.on('connection', (near) => {
      const far = connect(targetPort, '127.0.0.1');
      for (const [from, to] of [[near, far], [far, near]] as const) from.on('error', () => to.destroy()).pipe(to); // prettier-ignore
      this.#sockets.push(near, far);
    });
  }

  static async to(targetPort: number): Promise<Line> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Line(server, targetPort);
  }

  get port(): number {
    return portOf(this.#server);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
