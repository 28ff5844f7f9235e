import assert from 'node:assert/strict';
import type { SchedulerPeer } from '../../src/scheduler/model.js';
import { announcement, ofTask, taskId, TestCluster } from './cluster-fixture.js';

describe('the bounds of the scheduler', () => {
  it('refuse a host too many', () => {
    const cluster = new TestCluster({ limits: { maxHosts: 2 } });
    for (const id of ['a', 'b', 'a']) cluster.core.announceHost(announcement(id));
    assert.throws(() => cluster.core.announceHost(announcement('c')), { code: 'DFP_LIMIT' });
  });

  it('forget the oldest finished peer of a task, and refuse when all are at work', () => {
    const cluster = new TestCluster({ limits: { maxPeersPerTask: 2 } });
    cluster.complete('old');
    cluster.clock.advance(1);
    cluster.complete('new');
    cluster.join('third');
    assert.deepEqual([...cluster.core.task(taskId()).peers.keys()], ['new-peer', 'third-peer']);
    cluster.join('fourth');
    assert.throws(() => cluster.join('fifth'), { code: 'DFP_LIMIT' });
  });

  it('forget a failed peer before a complete one', async () => {
    const cluster = new TestCluster({ limits: { maxPeersPerTask: 2 } });
    cluster.complete('old');
    cluster.clock.advance(1);
    const failed = await cluster.source('failed');
    cluster.core.report(failed, { kind: 'failed', from: 'source', description: '' });
    cluster.join('third');
    assert.deepEqual([...cluster.core.task(taskId()).peers.keys()], ['old-peer', 'third-peer']);
  });

  it('hold for the peers of all tasks together', () => {
    const cluster = new TestCluster({ limits: { maxPeers: 2 } });
    for (const name of ['a', 'b', 'c']) cluster.complete(name, ofTask(name));
    assert.deepEqual([...cluster.core.cluster.peers.keys()], ['b-peer', 'c-peer']);
  });

  it('forget the task that was used longest ago, and refuse when all are at work', () => {
    const cluster = new TestCluster({ limits: { maxTasks: 2 } });
    cluster.complete('a', ofTask('a'));
    cluster.clock.advance(1);
    cluster.join('b', ofTask('b'));
    cluster.join('c', ofTask('c'));
    assert.deepEqual([...cluster.core.cluster.tasks.keys()], [taskId('b'), taskId('c')]);
    assert.deepEqual([...cluster.core.cluster.peers.keys()], ['b-peer', 'c-peer']);
    assert.throws(() => cluster.join('d', ofTask('d')), { code: 'DFP_LIMIT' });
  });

  for (const [use, useTask] of [
    ['joined', (cluster) => cluster.core.detachStream(cluster.join('child', ofTask('a')))],
    ['reported', (cluster, child) => cluster.core.report(child, { kind: 'finished', from: 'parents' })],
  ] as const satisfies [string, (cluster: TestCluster, child: SchedulerPeer) => void][])
    it(`keep a task that somebody has ${use} since another one was used`, async () => {
      const cluster = new TestCluster({ limits: { maxTasks: 2 } });
      cluster.complete('a', ofTask('a'));
      const early = cluster.join('early', ofTask('a'));
      await cluster.decide(early);
      cluster.core.report(early, { kind: 'started' });
      if (use === 'joined') cluster.core.report(early, { kind: 'finished', from: 'parents' });
      cluster.clock.advance(1);
      cluster.complete('b', ofTask('b'));
      cluster.clock.advance(1);
      useTask(cluster, early);
      cluster.clock.advance(2000);
      cluster.join('c', ofTask('c'));
      assert.deepEqual([...cluster.core.cluster.tasks.keys()], [taskId('a'), taskId('c')]);
    });

  it('forget the oldest blocked parent', async () => {
    const cluster = new TestCluster({ limits: { maxBlockedParents: 2 } });
    const child = cluster.join('child');
    for (const parentId of ['a', 'b', 'c'])
      cluster.core.report(child, { kind: 'piece-failed', parentId, temporary: true });
    assert.deepEqual([...child.blocked], ['b', 'c']);
  });
});
