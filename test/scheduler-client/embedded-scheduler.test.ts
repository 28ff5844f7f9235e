import assert from 'node:assert/strict';
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { silentLogger } from '../../src/core/logger.js';
import { TrafficType, type StoredPiece } from '../../src/core/piece.js';
import { loadChannelCredentials } from '../../src/grpc/credentials.js';
import { hasStatus } from '../../src/grpc/unary-call.js';
import { startEmbeddedScheduler, type EmbeddedScheduler } from '../../src/scheduler/embedded-scheduler.js';
import { createSchedulerClient, type DaemonSchedulerClient } from '../../src/scheduler-client/client.js';
import { reannounceStoredTasks } from '../../src/scheduler-client/reannounce.js';
import type { HostDescription } from '../../src/scheduler-client/scheduler-client.js';
import { SchedulerConnection } from '../../src/scheduler-client/scheduler-connection.js';
import { until } from '../support/until.js';
import { host, load, registration, TASK_ID } from './support/fixtures.js';

const piece = (number: number, parentId?: string): StoredPiece => ({
  number,
  offset: number * 4_194_304,
  length: 4_194_304,
  digest: 'crc32:1',
  parentId,
  trafficType: parentId === undefined ? TrafficType.BACK_TO_SOURCE : TrafficType.REMOTE_PEER,
  costMs: 10,
  createdAtMs: 1_700_000_000_000,
});

describe('the scheduler client with the embedded scheduler', () => {
  let scheduler: EmbeddedScheduler;
  let clients: DaemonSchedulerClient[];
  let joined: string[];

  beforeEach(async () => {
    clients = [];
    joined = [];
    scheduler = await startEmbeddedScheduler({ ip: '127.0.0.1', port: 0, logger: silentLogger });
  });

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await scheduler.stop();
  });

  async function startNode(name: string, changes: Partial<HostDescription> = {}): Promise<DaemonSchedulerClient> {
    const client = createSchedulerClient({
      host: { ...host, id: `127.0.0.1-${name}`, hostname: name, name, ...changes },
      load: async () => load,
      source: { kind: 'static', addrs: [`127.0.0.1:${scheduler.port}`] },
      build: { version: '1.0.0' },
      rejoinSpreadMs: 0,
      onSchedulerJoined: (address) => void joined.push(address),
    });
    clients.push(client);
    await client.start();
    return client;
  }

  /** As the scheduler has it; undefined when it knows no such peer. */
  async function stateOf(peerId: string): Promise<string | undefined> {
    const where = { ip: '127.0.0.1', port: scheduler.port };
    const connection = new SchedulerConnection(where, await loadChannelCredentials(undefined));
    try {
      return (await connection.statPeer({ hostId: 'any', taskId: TASK_ID, peerId })).state;
    } catch (error) {
      if (hasStatus(error, status.NOT_FOUND)) return undefined;
      throw error;
    } finally {
      connection.close();
    }
  }

  it('tells a peer of those that join after it, without being asked', async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map((name, index) => startNode(name, { port: 4100 + index })));
    const [a, b, c] = await Promise.all(
      nodes.map((node, index) => node.openSession(registration({ peerId: `peer-${index}` }))),
    );
    assert.ok(a && b && c);
    assert.equal((await a.register()).kind, 'back-to-source');
    a.backToSourceStarted('');
    const joined = new Promise<string[]>((resolve) =>
      b.onMoreParents((parents) => resolve(parents.map(({ peerId }) => peerId))),
    );
    assert.equal((await b.register()).kind, 'parents');
    b.started();
    assert.equal((await c.register()).kind, 'parents');
    assert.deepEqual(await joined, ['peer-2']);
    await Promise.all([a, b, c].map((session) => session.fail('parents', 'the test is over')));
  });

  it('sends the first peer to the origin, and the second to the first', async () => {
    const [a, b] = [await startNode('a', { port: 4100 }), await startNode('b')];
    const first = registration({ peerId: 'peer-a' });
    const fromSource = await a.openSession(first);
    assert.equal((await fromSource.register()).kind, 'back-to-source');
    fromSource.backToSourceStarted('nobody else has it');
    for (let number = 0; number < 6; number++) fromSource.pieceFromSourceFinished(piece(number));
    await fromSource.finish('source');
    assert.equal(await stateOf('peer-a'), 'Succeeded');

    const fromParent = await b.openSession(registration({ peerId: 'peer-b' }));
    const decision = await fromParent.register();
    assert.ok(decision.kind === 'parents');
    const [parent] = decision.parents;
    assert.equal(parent?.peerId, 'peer-a');
    assert.equal(parent.port, 4100);
    assert.equal(parent.hostId, '127.0.0.1-a');
    fromParent.started();
    fromParent.pieceFinished(piece(0, parent.peerId));
    fromParent.pieceFailed({ pieceNumber: 1, parentPeerId: parent.peerId, temporary: true });
    assert.equal((await fromParent.reschedule(decision.parents, 'a bad piece')).kind, 'back-to-source');
    fromParent.backToSourceStarted('');
    for (let number = 1; number < 6; number++) fromParent.pieceFromSourceFinished(piece(number));
    await fromParent.finish('source');
    assert.equal(await stateOf('peer-b'), 'Succeeded');
    assert.equal(fromParent.failed.aborted, false);
    const task = await b.statTask(TASK_ID);
    assert.equal(task?.contentLength, 20_971_521);
    assert.equal(task.pieceCount, 6);
  });

  it('offers a copy that was announced as stored', async () => {
    const [a, b] = [await startNode('a'), await startNode('b')];
    await a.announceStoredTask(registration({ peerId: 'stored' }));
    const session = await b.openSession(registration());
    const decision = await session.register();
    assert.ok(decision.kind === 'parents');
    assert.deepEqual(
      decision.parents.map(({ peerId }) => peerId),
      ['stored'],
    );
    await session.fail('parents', 'enough seen');
  });

  it('has the scheduler forget what was deleted, and a host that said farewell', async () => {
    const a = await startNode('a');
    await a.announceStoredTask(registration({ peerId: 'deleted' }));
    await a.deleteTask(TASK_ID);
    assert.equal(await stateOf('deleted'), undefined);
    await a.announceStoredTask(registration({ peerId: 'gone' }));
    await a.stop();
    assert.equal(await stateOf('gone'), undefined);
  });

  it('survives its restart: the stream breaks, the host and the complete tasks are announced again', async () => {
    const a = await startNode('a');
    await a.announceStoredTask(registration());
    const session = await a.openSession(registration());
    await session.register();
    joined.length = 0;
    await scheduler.stop();
    if (!session.failed.aborted) await once(session.failed, 'abort');
    scheduler = await startEmbeddedScheduler({ ip: '127.0.0.1', port: scheduler.port, logger: silentLogger });
    await until('the scheduler to join', () => joined.length > 0);
    const options = { signal: new AbortController().signal, logger: silentLogger };
    assert.equal(await reannounceStoredTasks(a, [registration({ peerId: 'again' })], options), 1);
    assert.equal(await stateOf('again'), 'Succeeded');
  });
});
