import assert from 'node:assert/strict';
import type { SchedulerPeer } from '../../src/scheduler/model.js';
import { announcement, ofTask, registration, taskId, TestCluster } from './cluster-fixture.js';

describe('garbage collection of the scheduler', () => {
  it('drops a host after two of its intervals of silence, with its peers', () => {
    const cluster = new TestCluster();
    cluster.complete('silent');
    cluster.complete('alive');
    cluster.clock.advance(599_000);
    cluster.core.announceHost(announcement('alive'));
    cluster.core.collectGarbage();
    assert.ok(cluster.core.cluster.hosts.has('silent'));
    cluster.clock.advance(2000);
    cluster.core.collectGarbage();
    assert.deepEqual([...cluster.core.cluster.hosts.keys()], ['alive']);
    assert.deepEqual([...cluster.core.cluster.peers.keys()], ['alive-peer']);
  });

  it('drops a host that told no interval after an hour', () => {
    const cluster = new TestCluster();
    cluster.core.announceHost(announcement('host', { intervalMs: 0 }));
    cluster.clock.advance(3_600_000);
    cluster.core.collectGarbage();
    assert.ok(cluster.core.cluster.hosts.has('host'));
    cluster.clock.advance(1);
    cluster.core.collectGarbage();
    assert.equal(cluster.core.cluster.hosts.size, 0);
  });

  it('drops nothing for the time in which nobody could be heard', async () => {
    const cluster = new TestCluster();
    const peer = await cluster.source('host');
    cluster.core.register(registration('host', { id: 'gone', ...ofTask('unused') }));
    cluster.core.deletePeer('gone');
    cluster.clock.advance(7_200_000);
    cluster.core.collectGarbage(7_200_000);
    assert.equal(cluster.core.peer('host-peer'), peer);
    assert.ok(cluster.core.cluster.tasks.has(taskId('unused')));
  });

  for (const [how, sayMore] of [
    ['reports', (cluster, peer) => cluster.core.report(peer, { kind: 'piece-finished', costMs: 5 })],
    ['asks for parents', (cluster, peer) => void cluster.reschedule(peer)],
  ] as const satisfies [string, (cluster: TestCluster, peer: SchedulerPeer) => void][])
    it(`keeps an unfinished peer that ${how}`, async () => {
      const cluster = new TestCluster();
      const peer = await cluster.source('host');
      cluster.clock.advance(1_000_000);
      sayMore(cluster, peer);
      cluster.clock.advance(1_000_000);
      cluster.core.announceHost(announcement('host'));
      cluster.core.collectGarbage();
      assert.equal(cluster.core.peer('host-peer'), peer);
    });

  it('keeps a host that a child names as the parent of its pieces', async () => {
    const cluster = new TestCluster();
    const parent = cluster.complete('parent');
    cluster.clock.advance(500_000);
    const child = cluster.join('child');
    await cluster.decide(child);
    cluster.core.report(child, { kind: 'piece-finished', costMs: 5, parentId: parent.id });
    cluster.clock.advance(200_000);
    cluster.core.collectGarbage();
    assert.ok(cluster.core.cluster.hosts.has('parent'));
  });

  it('drops peers that stopped reporting or failed, but not complete ones', async () => {
    const cluster = new TestCluster();
    const idle = await cluster.source('idle');
    const failed = await cluster.source('failed');
    cluster.complete('complete');
    cluster.core.report(failed, { kind: 'failed', from: 'source', description: '' });
    cluster.clock.advance(10_001);
    cluster.core.collectGarbage();
    assert.deepEqual([...cluster.core.cluster.peers.keys()], ['idle-peer', 'complete-peer']);
    cluster.clock.advance(1_800_000);
    for (const host of ['idle', 'complete']) cluster.core.announceHost(announcement(host));
    cluster.core.collectGarbage();
    assert.deepEqual([...cluster.core.cluster.peers.keys()], ['complete-peer']);
    assert.equal(idle.state, 'Leave');
  });

  it('drops a task half an hour after its last peer', () => {
    const cluster = new TestCluster();
    cluster.complete('host');
    cluster.clock.advance(60_000);
    cluster.core.deleteHost('host');
    cluster.clock.advance(1_800_000);
    cluster.core.collectGarbage();
    assert.equal(cluster.core.cluster.tasks.size, 1);
    cluster.clock.advance(1);
    cluster.core.collectGarbage();
    assert.equal(cluster.core.cluster.tasks.size, 0);
  });

  it('drops a task whose first peer was refused', () => {
    const cluster = new TestCluster({ limits: { maxPeers: 1 } });
    cluster.join('host');
    assert.throws(() => cluster.join('second', ofTask('second')), { code: 'DFP_LIMIT' });
    cluster.clock.advance(1_800_001);
    cluster.core.collectGarbage();
    assert.ok(!cluster.core.cluster.tasks.has(taskId('second')));
  });

  it('leaves no timer behind when everyone is gone', async () => {
    const cluster = new TestCluster();
    const source = cluster.join('source');
    await cluster.decide(source);
    const waiting = cluster.decide(cluster.join('child'));
    cluster.core.detachStream(source);
    cluster.core.deleteHost('source');
    await waiting;
    cluster.core.deleteHost('child');
    assert.equal(cluster.clock.pendingTimers, 0);
  });
});
