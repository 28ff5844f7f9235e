import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PeerRegistration, SchedulerPeer } from '../../src/scheduler/model.js';
import type { PeerReport } from '../../src/scheduler/peer-report.js';
import { announcement, registration, summary, taskId, TestCluster } from './cluster-fixture.js';

describe('the scheduler core', () => {
  it('does not register a peer of an unknown host, nor one twice', () => {
    const cluster = new TestCluster();
    assert.throws(() => cluster.core.register(registration('nobody')), { code: 'DFP_PEER_NOT_FOUND' });
    const peer = cluster.join('host');
    assert.throws(() => cluster.core.register(registration('host')), {
      code: 'DFP_PEER_STATE',
      message: 'event RegisterNormal inappropriate in current state ReceivedNormal',
    });
    assert.equal(peer.state, 'ReceivedNormal', 'the peer that has the id is not disturbed');
  });

  it('answers an empty task at once, and takes an absent length for unknown', async () => {
    const cluster = new TestCluster();
    const content = { contentLength: 0, pieceLength: 4194304, pieceCount: 0 };
    assert.equal(summary(await cluster.decide(cluster.join('host', { content }))), 'empty');
    const untold = { contentLength: undefined, pieceLength: undefined, pieceCount: undefined };
    assert.equal(summary(await cluster.decide(cluster.join('who knows no length', { content: untold }))), 'empty');

    const other = new TestCluster();
    const unknown = { contentLength: undefined, pieceLength: undefined, pieceCount: undefined };
    assert.equal(summary(await other.decide(other.join('first', { content: unknown }))), 'back-to-source');
    other.join('second', { content: { contentLength: 7, pieceLength: 4194304, pieceCount: 1 } });
    assert.equal(other.core.task(taskId()).content.contentLength, 7);
  });

  it('believes the first peer about the content, until nobody of the task is left', () => {
    const cluster = new TestCluster();
    const lengthAfter = (hostId: string, contentLength: number): number | undefined => {
      cluster.join(hostId, { content: { contentLength, pieceLength: 4194304, pieceCount: 1 } });
      return cluster.core.task(taskId()).content.contentLength;
    };
    assert.deepEqual([lengthAfter('first', 7), lengthAfter('second', 8)], [7, 7]);
    for (const hostId of ['first', 'second']) cluster.core.deleteHost(hostId);
    assert.equal(lengthAfter('third', 9), 9);
  });

  it('says of a task that it is complete as long as somebody has it, and otherwise that it runs, when a peer joins', async () => {
    const cluster = new TestCluster();
    const stateAfterJoin = (hostId: string): string => (cluster.join(hostId), cluster.core.task(taskId()).state);
    cluster.complete('holder');
    assert.equal(stateAfterJoin('child'), 'Succeeded');
    cluster.core.deleteHost('holder');
    const source = await cluster.source('source');
    cluster.core.report(source, { kind: 'failed', from: 'source', description: '404' });
    assert.equal(stateAfterJoin('next'), 'Running');
  });

  it('finds no parents for a peer whose download is over', async () => {
    const cluster = new TestCluster();
    await assert.rejects(cluster.reschedule(cluster.complete('holder')), {
      code: 'DFP_PEER_STATE',
      message: 'reschedule inappropriate in current state Succeeded',
    });
  });

  it('takes a piece that the source did not give for no end of the download', async () => {
    const cluster = new TestCluster();
    const peer = await cluster.source('source');
    cluster.core.report(peer, { kind: 'piece-from-source-failed' });
    assert.equal(peer.state, 'BackToSource');
  });

  it('answers metadata_only at once, and has a parent after two more messages', async () => {
    const cluster = new TestCluster();
    const peer = cluster.join('holder', { metadataOnly: true });
    assert.equal(summary(await cluster.decide(peer)), 'metadata-only');
    cluster.core.report(peer, { kind: 'started' });
    cluster.core.report(peer, { kind: 'finished', from: 'parents' });
    assert.equal(cluster.core.task(taskId()).state, 'Succeeded');
    assert.deepEqual(summary(await cluster.decide(cluster.join('child'))), ['holder-peer']);
  });

  it('offers one copy of a host that has announced it again', async () => {
    const cluster = new TestCluster();
    cluster.complete('holder', { id: 'before' });
    cluster.complete('other');
    cluster.complete('holder', { id: 'after' });
    assert.deepEqual(summary(await cluster.decide(cluster.join('child'))), ['after', 'other-peer']);
  });

  it('fails a peer whose report does not fit its state', async () => {
    const cluster = new TestCluster();
    const peer = await cluster.source('source');
    assert.throws(() => cluster.core.report(peer, { kind: 'started' }), { code: 'DFP_PEER_STATE' });
    assert.equal(peer.state, 'Failed');
    const complete = cluster.complete('complete');
    assert.throws(() => cluster.core.report(complete, { kind: 'started' }), { code: 'DFP_PEER_STATE' });
    assert.equal(complete.state, 'Succeeded', 'unless it has all of it');
  });

  it('counts the pieces that children could not get from a host, until it announces itself again', () => {
    const cluster = new TestCluster();
    const { host } = cluster.complete('parent');
    const child = cluster.join('child');
    for (const parentId of ['parent-peer', 'gone', 'parent-peer'])
      cluster.core.report(child, { kind: 'piece-failed', parentId, temporary: true });
    assert.equal(host.failedPieceCount, 2);
    cluster.core.announceHost(announcement('parent'));
    assert.equal(host.failedPieceCount, 0);
  });

  it('takes a task for complete when it came from the source', async () => {
    const cluster = new TestCluster();
    const source = await cluster.source('source');
    const child = cluster.join('child');
    cluster.core.report(child, { kind: 'started' });
    cluster.core.report(child, { kind: 'finished', from: 'parents' });
    assert.equal(cluster.core.task(taskId()).state, 'Running');
    cluster.core.report(source, { kind: 'finished', from: 'source' });
    assert.equal(cluster.core.task(taskId()).state, 'Succeeded');
  });

  it('goes on offering the copy of a host that has taken a part of it once more', async () => {
    const cluster = new TestCluster();
    cluster.complete('holder');
    const part = cluster.join('holder', { id: 'part', range: { offset: 0, length: 1 } });
    cluster.core.report(part, { kind: 'started' });
    cluster.core.report(part, { kind: 'finished', from: 'parents' });
    assert.deepEqual(summary(await cluster.decide(cluster.join('child'))), ['holder-peer', 'part']);
  });

  it('forgets the length of a task that failed at the source, and not of one that failed at parents', async () => {
    const cluster = new TestCluster();
    const peer = await cluster.source('source');
    cluster.core.report(cluster.join('child'), { kind: 'failed', from: 'parents', description: 'disk full' });
    assert.equal(cluster.core.task(taskId()).state, 'Running');
    assert.notEqual(cluster.core.task(taskId()).content.contentLength, undefined);
    cluster.core.report(peer, { kind: 'failed', from: 'source', description: '404' });
    const { state, content } = cluster.core.task(taskId());
    assert.equal(state, 'Failed');
    assert.equal(content.contentLength, undefined);
  });

  it('fails a peer that has lost its stream after the grace, and not one that came back or had finished', async () => {
    const cluster = new TestCluster();
    const [lost, back, done] = [
      await cluster.source('lost'),
      await cluster.source('back'),
      await cluster.source('done'),
    ];
    cluster.core.report(done, { kind: 'finished', from: 'source' });
    for (const peer of [lost, back, done]) cluster.core.detachStream(peer);
    cluster.clock.advance(1999);
    assert.deepEqual([lost.state, back.state, done.state], ['BackToSource', 'BackToSource', 'Succeeded']);
    cluster.core.attachStream(back);
    cluster.clock.advance(1);
    assert.deepEqual([lost.state, back.state, done.state], ['Failed', 'BackToSource', 'Succeeded']);
  });

  it('waits for nothing when one stream of a peer has gone and another has taken its place', async () => {
    const cluster = new TestCluster();
    const peer = await cluster.source('source');
    cluster.core.attachStream(peer);
    cluster.core.detachStream(peer);
    cluster.clock.advance(60_000);
    assert.equal(peer.state, 'BackToSource');
  });

  it('takes a range that came from the source for no complete task', async () => {
    const cluster = new TestCluster();
    const part = cluster.join('part', { range: { offset: 0, length: 1 } });
    await cluster.decide(part);
    cluster.core.report(part, { kind: 'back-to-source-started' });
    cluster.core.report(part, { kind: 'finished', from: 'source' });
    assert.equal(part.state, 'Succeeded');
    assert.equal(cluster.core.task(taskId()).state, 'Running');
  });

  it('drops the peers of a host that leaves, and of its task when it deletes the copy', async () => {
    const cluster = new TestCluster();
    const [leaving, deleting] = [cluster.complete('leaving'), cluster.complete('deleting')];
    const other = cluster.complete('deleting', { id: 'other', ...ofTask('other') });
    const child = cluster.join('child');
    await cluster.decide(child);
    assert.equal(child.parents.size, 2);
    cluster.core.deleteHost('leaving');
    cluster.core.deleteTask('deleting', taskId());
    for (const { id } of [leaving, deleting])
      assert.throws(() => cluster.core.peer(id), { code: 'DFP_PEER_NOT_FOUND' });
    assert.equal(child.parents.size, 0);
    assert.equal(cluster.core.peer('other'), other, 'the host has other tasks');
    assert.throws(() => cluster.core.deleteHost('leaving'), { code: 'DFP_HOST_NOT_FOUND' });
    assert.throws(() => cluster.core.deleteTask('leaving', taskId()), { code: 'DFP_HOST_NOT_FOUND' });
    cluster.core.deletePeer('never seen');
    assert.ok(cluster.core.cluster.hosts.has('deleting'));
  });

  it('keeps hostname and ip of a host that announces itself again, and takes the rest', () => {
    const cluster = new TestCluster();
    cluster.core.announceHost(announcement('host'));
    cluster.core.announceHost(announcement('host', { ip: '127.0.0.9', hostname: 'new', disableShared: true }));
    const host = cluster.core.cluster.hosts.get('host');
    assert.deepEqual([host?.ip, host?.hostname, host?.disableShared], ['127.0.0.1', 'host', true]);
  });

  it('loads a parent only with children that still download', async () => {
    const cluster = new TestCluster();
    const parent = cluster.complete('parent');
    const children = ['a', 'b'].map((host) => cluster.join(host));
    for (const child of children) {
      await cluster.decide(child);
      cluster.core.report(child, { kind: 'started' });
    }
    assert.equal(parent.children.size, 2);
    const [first, second] = children;
    assert.ok(first && second);
    cluster.core.report(first, { kind: 'finished', from: 'parents' });
    cluster.core.report(second, { kind: 'failed', from: 'parents', description: 'disk full' });
    assert.equal(parent.children.size, 0);
  });

  it('keeps a peer that is done as the parent of those it feeds', async () => {
    const cluster = new TestCluster();
    const source = await cluster.source('source');
    const child = cluster.join('child');
    await cluster.decide(child);
    cluster.core.report(source, { kind: 'finished', from: 'source' });
    assert.ok(child.parents.has(source));
  });

  it('survives any order of reports, with relations that agree on both sides', async () => {
    const reports: PeerReport[] = [
      { kind: 'started' },
      { kind: 'back-to-source-started' },
      { kind: 'piece-finished', costMs: 5, parentId: 'host0-peer' },
      { kind: 'piece-failed', parentId: 'host1-peer', temporary: true },
      { kind: 'finished', from: 'parents' },
      { kind: 'finished', from: 'source' },
      { kind: 'failed', from: 'parents', description: '' },
      { kind: 'failed', from: 'source', description: '' },
    ];
    const step = fc.record({ host: fc.nat(5), action: fc.nat(reports.length + 3) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const cluster = new TestCluster();
        const peers = Array.from({ length: 6 }, (_, index) => cluster.join(`host${index}`));
        for (const { host, action } of steps) {
          const peer = peers[host];
          assert.ok(peer);
          const report = reports[action];
          if (report !== undefined) attempt(() => cluster.core.report(peer, report));
          else if (action === reports.length) cluster.decide(peer).catch(() => undefined);
          else if (action === reports.length + 1) cluster.reschedule(peer).catch(() => undefined);
          else if (action === reports.length + 2) cluster.core.deletePeer(peer.id);
          else cluster.clock.advance(700);
          await Promise.resolve();
          for (const child of cluster.core.cluster.peers.values()) {
            assert.ok(child.parents.size <= cluster.core.limits.maxParents);
            for (const parent of child.parents) {
              assert.ok(parent.children.has(child), 'a parent knows its child');
              assert.ok(cluster.core.cluster.peers.has(parent.id), 'a parent exists');
            }
          }
        }
        cluster.clock.advance(10_000);
        assert.equal(cluster.core.matchmaker.waitingCount, 0, 'nobody waits for ever');
      }),
    );
  });
});

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

function ofTask(name: string): Pick<PeerRegistration, 'task'> {
  return { task: { ...registration(name).task, id: taskId(name) } };
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'DFP_PEER_STATE', String(error));
  }
}
