import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PeerReport } from '../../src/scheduler/peer-report.js';
import { announcement, ofTask, registration, summary, taskId, TestCluster } from './cluster-fixture.js';

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

  it('believes nothing of a task that it refuses to take from a peer', async () => {
    const cluster = new TestCluster();
    const lost = await cluster.source('lost');
    cluster.core.detachStream(lost);
    cluster.clock.advance(2000);
    const content = { ...cluster.core.task(taskId()).content };
    for (const kind of ['finished', 'failed'] as const) {
      const report: PeerReport = { kind, from: 'source', description: '404' };
      assert.throws(() => cluster.core.report(lost, report), { code: 'DFP_PEER_STATE' });
      assert.equal(cluster.core.task(taskId()).state, 'Running');
      assert.deepEqual(cluster.core.task(taskId()).content, content);
    }
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
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
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

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'DFP_PEER_STATE', String(error));
  }
}
