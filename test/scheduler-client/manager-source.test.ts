import assert from 'node:assert/strict';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import type { ListSchedulersRequest__Output } from '../../src/generated/manager/v2/ListSchedulersRequest.js';
import type { ListSchedulersResponse } from '../../src/generated/manager/v2/ListSchedulersResponse.js';
import type { Scheduler } from '../../src/generated/manager/v2/Scheduler.js';
import { Manager } from '../../src/grpc/protos.js';
import { ManagerSource } from '../../src/scheduler-client/manager-source.js';
import { systemLookup } from '../../src/scheduler-client/scheduler-address.js';
import { host, recordingLogger, type LogLine } from './support/fixtures.js';

const { signal } = new AbortController();

const listed = (ip: string, port: number, clientConfig = '{}'): Scheduler => ({
  id: 1,
  hostname: 'scheduler',
  ip,
  port,
  state: 'active',
  schedulerClusterId: 7,
  schedulerCluster: {
    id: 7,
    clientConfig: Buffer.from(clientConfig),
    seedClientConfig: Buffer.from('{"block_list":{"task":{"download":{"tags":["seed-only"]}}}}'),
  },
  features: Buffer.from('["schedule","preheat"]'),
});

describe('a manager as the source of schedulers', () => {
  let server: Server;
  let port: number;
  let answer: ListSchedulersResponse;
  let requests: ListSchedulersRequest__Output[];
  let health: HealthImplementation;
  let source: ManagerSource | undefined;

  beforeEach(async () => {
    requests = [];
    answer = { schedulers: [listed('10.0.0.1', 8002)] };
    health = new HealthImplementation({ '': 'SERVING' });
    server = new Server();
    health.addToServer(server);
    server.addService(Manager.service, {
      ListSchedulers: (
        call: { request: ListSchedulersRequest__Output },
        callback: (error: null, value: ListSchedulersResponse) => void,
      ) => {
        requests.push(call.request);
        callback(null, answer);
      },
    });
    port = await new Promise((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
  });

  afterEach(() => {
    source?.close();
    server.forceShutdown();
  });

  const create = (changes: Partial<typeof host> = {}, logger = silentLogger): ManagerSource =>
    (source = new ManagerSource(
      { addr: `http://127.0.0.1:${port}` },
      {
        host: { ...host, ...changes },
        build: { version: '1.2.3' },
        clock: systemClock,
        lookup: systemLookup,
        logger,
      },
    ));

  it('is asked as a peer, with what the manager chooses a cluster by', async () => {
    await create({ hostname: 'node_1', idc: 'dc1', location: 'a|b', schedulerClusterId: 3 }).list(signal);
    const { sourceType, hostname, ip, idc, location, version, schedulerClusterId } = requests[0] ?? {};
    assert.deepEqual(
      { sourceType, hostname, ip, idc, location, version, schedulerClusterId },
      {
        sourceType: 1,
        hostname: 'node-1',
        ip: '127.0.0.1',
        idc: 'dc1',
        location: 'a|b',
        version: '1.2.3',
        schedulerClusterId: 3,
      },
    );
  });

  it('gives the addresses with their cluster, and skips what is no address', async () => {
    answer = { schedulers: [listed('10.0.0.1', 8002), listed('scheduler', 8002), listed('10.0.0.2', 0)] };
    assert.deepEqual((await create().list(signal)).schedulers, [{ ip: '10.0.0.1', port: 8002, clusterId: 7 }]);
  });

  it("gives the cluster's block list, that of seeds to a seed", async () => {
    answer = { schedulers: [listed('10.0.0.1', 8002, '{"block_list":{"task":{"download":{"tags":["no"]}}}}')] };
    const download = { application: '', url: 'http://a.test', tag: 'no', priority: 0 };
    const peer = await create().list(signal);
    assert.equal(peer.blockList?.match(download), 'tags');
    source?.close();
    const seed = await create({ type: 'seed' }).list(signal);
    assert.equal(requests.at(-1)?.sourceType, 2);
    assert.equal(seed.blockList?.match(download), undefined);
    assert.equal(seed.blockList?.match({ ...download, tag: 'seed-only' }), 'tags');
  });

  it('gives no block list, with a warning, when client_config is not what it should be', async () => {
    const lines: LogLine[] = [];
    answer = { schedulers: [listed('10.0.0.1', 8002, 'not json')] };
    const { blockList, schedulers } = await create({}, recordingLogger(lines)).list(signal);
    assert.equal(blockList, undefined);
    assert.equal(schedulers.length, 1);
    assert.ok(lines.some(({ level }) => level === 'warn'));
  });

  it('is unreachable as long as its health says so, and usable afterwards', async () => {
    health.setStatus('', 'NOT_SERVING');
    const manager = create();
    await assert.rejects(manager.list(signal), { code: 'DFP_MANAGER_UNREACHABLE', message: /NOT_SERVING/ });
    assert.equal(requests.length, 0);
    health.setStatus('', 'SERVING');
    assert.equal((await manager.list(signal)).schedulers.length, 1);
  });

  it('that is down is a coded error', async () => {
    server.forceShutdown();
    await assert.rejects(create().list(signal), { code: 'DFP_MANAGER_UNREACHABLE' });
  });
});
