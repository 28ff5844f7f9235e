import assert from 'node:assert/strict';
import type { PeerRegistration, SchedulerPeer } from '../../src/scheduler/model.js';
import { summary, TestCluster } from './cluster-fixture.js';

const STARTED = { kind: 'back-to-source-started' } as const;
const FAILED_AT_SOURCE = { kind: 'failed', from: 'source', description: 'origin down' } as const;

describe('matchmaking', () => {
  it('sends the first peer of a task to the source, and gives it to the others once it has started', async () => {
    const cluster = new TestCluster();
    const [first, second, third] = joinAll(cluster, 3);
    assert.deepEqual(await cluster.decide(first), {
      kind: 'back-to-source',
      description: 'no other peer has the content, or is about to have it',
    });
    const waiting = [cluster.decide(second), cluster.decide(third)];
    assert.equal(cluster.core.matchmaker.waitingCount, 2);
    cluster.core.report(first, STARTED);
    const answers = (await Promise.all(waiting)).map(summary);
    for (const answer of answers)
      assert.ok(answer.includes('host0-peer'), `${String(answer)} lacks the peer at the origin`);
    // Pieces decide who gives, so the two get to know each other too.
    assert.deepEqual(answers, [
      ['host0-peer', 'host2-peer'],
      ['host0-peer', 'host1-peer'],
    ]);
    assert.equal(cluster.core.matchmaker.waitingCount, 0);
  });

  it('gives no more parents than a peer may have, the one at the origin always among them', async () => {
    const cluster = new TestCluster({ random: Math.random, limits: { maxParents: 4 } });
    const [first, ...others] = joinAll(cluster, 12);
    await cluster.decide(first);
    const waiting = others.map((peer) => cluster.decide(peer));
    cluster.core.report(first, STARTED);
    for (const decision of await Promise.all(waiting)) {
      assert.ok(decision.kind === 'parents');
      assert.equal(decision.parents.length, 4);
      assert.ok(decision.parents.includes(first));
    }
  });

  it('sends another one when the peer at the source fails, and only one', async () => {
    const cluster = new TestCluster();
    const [first, second, third] = joinAll(cluster, 3);
    await cluster.decide(first);
    const [secondAnswer, thirdAnswer] = [cluster.decide(second), cluster.decide(third)];
    cluster.core.report(first, FAILED_AT_SOURCE);
    assert.equal(summary(await secondAnswer), 'back-to-source');
    assert.equal(cluster.core.matchmaker.waitingCount, 1);
    cluster.core.report(second, STARTED);
    assert.deepEqual(summary(await thirdAnswer), ['host1-peer']);
  });

  it('sends another one when the chosen one loses its stream before it starts', async () => {
    const cluster = new TestCluster();
    const [first, second] = joinAll(cluster, 2);
    await cluster.decide(first);
    const answer = cluster.decide(second);
    cluster.core.detachStream(first);
    assert.equal(summary(await answer), 'back-to-source');
  });

  it('sends another one when the chosen one is deleted before it starts', async () => {
    const cluster = new TestCluster();
    const [first, second] = joinAll(cluster, 2);
    await cluster.decide(first);
    const answer = cluster.decide(second);
    cluster.core.deletePeer(first.id);
    assert.equal(summary(await answer), 'back-to-source');
  });

  it('keeps the others waiting when one of them leaves', async () => {
    const cluster = new TestCluster();
    const [first, second, third] = joinAll(cluster, 3);
    await cluster.decide(first);
    const [secondAnswer, thirdAnswer] = [cluster.decide(second), cluster.decide(third)];
    cluster.core.deletePeer(second.id);
    await assert.rejects(secondAnswer, { code: 'DFP_PEER_NOT_FOUND' });
    cluster.core.report(first, STARTED);
    assert.deepEqual(summary(await thirdAnswer), ['host0-peer']);
  });

  it('sends another one when the chosen one does not start in time', async () => {
    const cluster = new TestCluster();
    const [first, second, third] = joinAll(cluster, 3);
    await cluster.decide(first);
    const [secondAnswer, thirdAnswer] = [cluster.decide(second), cluster.decide(third)];
    cluster.clock.advance(1000);
    assert.equal(summary(await secondAnswer), 'back-to-source');
    cluster.core.report(second, STARTED);
    assert.deepEqual(summary(await thirdAnswer), ['host0-peer', 'host1-peer']);
  });

  it('sends peers one by one when none of them starts, and lets none wait longer than four seconds', async () => {
    const cluster = new TestCluster();
    const [first, ...others] = joinAll(cluster, 10);
    await cluster.decide(first);
    let sent = 0;
    for (const peer of others)
      void cluster.decide(peer).then(({ kind }) => (sent += kind === 'back-to-source' ? 1 : 0));
    const sentAfter = async (ms: number): Promise<number> => {
      cluster.clock.advance(ms);
      await new Promise(setImmediate);
      return sent;
    };
    assert.equal(await sentAfter(999), 0);
    assert.equal(await sentAfter(1), 1);
    assert.equal(await sentAfter(1000), 2);
    assert.equal(await sentAfter(1000), 3);
    assert.equal(await sentAfter(1000), 9);
  });

  it('waits no longer than two seconds when nobody is on the way', async () => {
    const cluster = new TestCluster();
    const shy = cluster.join('shy', { disableBackToSource: true });
    const answer = cluster.decide(shy);
    cluster.clock.advance(1999);
    assert.equal(cluster.core.matchmaker.waitingCount, 1);
    cluster.clock.advance(1);
    assert.equal(summary(await answer), 'back-to-source');
  });

  it('passes over a peer that must not go to the source, until its time is up', async () => {
    const cluster = new TestCluster();
    const shy = cluster.join('shy', { disableBackToSource: true });
    const waiting = cluster.decide(shy);
    const bold = cluster.join('bold');
    assert.equal(summary(await cluster.decide(bold)), 'back-to-source');
    cluster.core.report(bold, STARTED);
    assert.deepEqual(summary(await waiting), ['bold-peer']);

    const lonely = cluster.join('lonely', { id: 'lonely', disableBackToSource: true, content: unlike() });
    const answer = cluster.decide(lonely);
    cluster.clock.advance(2000);
    assert.equal(summary(await answer), 'back-to-source');
    void cluster.decide(cluster.join('other', { content: unlike() }));
    assert.equal(cluster.core.matchmaker.waitingCount, 0, 'it will not go, so nobody waits for it');
  });

  it('gives a peer that must not go to the source whoever there is when its time is up', async () => {
    const cluster = new TestCluster();
    const shy = { disableBackToSource: true };
    const answers = ['a', 'b'].map((host) => cluster.decide(cluster.join(host, shy)));
    cluster.clock.advance(2000);
    assert.deepEqual((await Promise.all(answers)).map(summary), [['b-peer'], ['a-peer']]);
  });

  it('gives a peer that waits, when its time is up, one that has come to be fed meanwhile', async () => {
    const cluster = new TestCluster();
    const source = await cluster.source('source');
    const waiting = cluster.join('waiting', { disableBackToSource: true });
    const answer = cluster.reschedule(waiting, [source]);
    assert.deepEqual(summary(await cluster.decide(cluster.join('fed'))), ['source-peer', 'waiting-peer']);
    cluster.clock.advance(2000);
    assert.deepEqual(summary(await answer), ['fed-peer']);
  });

  it('lets nobody wait for a peer whose part comes from the source already', async () => {
    const cluster = new TestCluster();
    const part = cluster.join('part', { needBackToSource: true, range: { offset: 0, length: 1 } });
    await cluster.decide(part);
    cluster.core.report(part, STARTED);
    assert.equal(summary(await cluster.reschedule(part)), 'back-to-source');
    void cluster.decide(cluster.join('whole'));
    assert.equal(cluster.core.matchmaker.waitingCount, 0);
  });

  it('lets nobody wait for a peer whose stream had ended before it could be answered', async () => {
    const cluster = new TestCluster();
    const [first, second] = joinAll(cluster, 2);
    const stream = new AbortController();
    stream.abort();
    await assert.rejects(cluster.decide(first, stream), { code: 'DFP_ABORTED' });
    assert.equal(summary(await cluster.decide(second)), 'back-to-source');
  });

  it('sends peers to the source that say so themselves', async () => {
    const cluster = new TestCluster();
    cluster.complete('complete');
    assert.equal(summary(await cluster.decide(cluster.join('own', { needBackToSource: true }))), 'back-to-source');
  });

  it('does not let peers wait for one whose host shares nothing', async () => {
    const cluster = new TestCluster();
    await cluster.source('selfish', { disableShared: true });
    assert.equal(summary(await cluster.decide(cluster.join('other'))), 'back-to-source');
  });

  it('blocks the parents of a reschedule, and sends the peer to the source when nobody else is left', async () => {
    const cluster = new TestCluster();
    const [bad, good] = [cluster.complete('bad'), cluster.complete('good')];
    const child = cluster.join('child');
    assert.deepEqual(summary(await cluster.decide(child)), ['bad-peer', 'good-peer']);
    assert.deepEqual(summary(await cluster.reschedule(child, [bad])), ['good-peer']);
    assert.equal(summary(await cluster.reschedule(child, [good])), 'back-to-source');
    assert.equal(summary(await cluster.reschedule(child)), 'back-to-source', 'blocked for good');
  });

  it('blocks the parent of a piece that failed temporarily, and only then', async () => {
    const cluster = new TestCluster();
    const [first, second] = [cluster.complete('first'), cluster.complete('second')];
    const child = cluster.join('child');
    await cluster.decide(child);
    cluster.core.report(child, { kind: 'piece-failed', parentId: first.id, temporary: false });
    assert.deepEqual(summary(await cluster.reschedule(child)), ['first-peer', 'second-peer']);
    cluster.core.report(child, { kind: 'piece-failed', parentId: second.id, temporary: true });
    assert.deepEqual(summary(await cluster.reschedule(child)), ['first-peer']);
  });

  it('answers an empty reschedule with more parents as they come, and keeps those it gave', async () => {
    const cluster = new TestCluster({ limits: { maxParents: 4 } });
    const source = await cluster.source('source');
    const early = cluster.join('early');
    assert.deepEqual(summary(await cluster.decide(early)), ['source-peer']);
    cluster.core.report(early, { kind: 'started' });
    for (const host of ['a', 'b']) cluster.core.report(await joinAndStart(cluster, host), { kind: 'started' });
    assert.deepEqual(summary(await cluster.reschedule(early)), ['a-peer', 'b-peer', 'source-peer']);
    for (const host of ['c', 'd', 'e']) await joinAndStart(cluster, host);
    const enough = summary(await cluster.reschedule(early));
    for (const id of [source.id, 'a-peer', 'b-peer']) assert.ok(enough.includes(id), `${String(enough)} lacks ${id}`);
    assert.equal(enough.length, 4);
  });

  it('does not leave peers with only each other when the one at the source fails', async () => {
    const cluster = new TestCluster();
    const source = await cluster.source('source');
    const [first, second] = [await joinAndStart(cluster, 'a'), await joinAndStart(cluster, 'b')];
    assert.deepEqual(summary(await cluster.reschedule(first)), ['b-peer', 'source-peer']);
    cluster.core.report(source, FAILED_AT_SOURCE);
    assert.equal(summary(await cluster.reschedule(first)), 'back-to-source');
    assert.equal(second.children.size, 0, 'whoever is sent to the source takes nothing from others');
    const answer = cluster.reschedule(second);
    cluster.core.report(first, STARTED);
    assert.deepEqual(summary(await answer), ['a-peer']);
  });

  it('lets a peer that blocked the source live on those that it feeds', async () => {
    const cluster = new TestCluster();
    const source = await cluster.source('source');
    const first = await joinAndStart(cluster, 'a');
    await joinAndStart(cluster, 'b');
    assert.deepEqual(summary(await cluster.reschedule(first, [source])), ['b-peer']);
  });

  it('does not give the peer at the source those that live on it', async () => {
    const cluster = new TestCluster();
    const source = cluster.join('source');
    await cluster.decide(source);
    cluster.core.report(source, STARTED);
    await joinAndStart(cluster, 'a');
    assert.equal(summary(await cluster.reschedule(source)), 'back-to-source');
  });

  it('makes no ring of peers that wait in it for good, and sends the first of them to the source when that one fails', async () => {
    const cluster = new TestCluster();
    const source = await cluster.source('source');
    const waiting = { leavesRings: false };
    const first = await joinAndStart(cluster, 'a', waiting);
    await joinAndStart(cluster, 'b', waiting);
    await joinAndStart(cluster, 'c', waiting);
    const leaving = await joinAndStart(cluster, 'd');
    assert.deepEqual(summary(await cluster.reschedule(first)), ['d-peer', 'source-peer']);
    assert.deepEqual(summary(await cluster.reschedule(leaving)), ['a-peer', 'b-peer', 'c-peer', 'source-peer']);
    cluster.core.report(source, FAILED_AT_SOURCE);
    assert.equal(summary(await cluster.reschedule(first, [source])), 'back-to-source');
  });

  it('ends a wait when the stream breaks or the peer is deleted', async () => {
    const cluster = new TestCluster();
    const [first, second, third] = joinAll(cluster, 3);
    await cluster.decide(first);
    const stream = new AbortController();
    const broken = cluster.decide(second, stream);
    const deleted = cluster.decide(third);
    stream.abort();
    cluster.core.deletePeer(third.id);
    await assert.rejects(broken, { code: 'DFP_ABORTED' });
    await assert.rejects(deleted, { code: 'DFP_PEER_NOT_FOUND' });
    assert.equal(cluster.core.matchmaker.waitingCount, 0);
  });

  it('keeps peers of different content apart', async () => {
    const cluster = new TestCluster();
    cluster.complete('old');
    const fresh = cluster.join('fresh', { content: unlike() });
    assert.equal(summary(await cluster.decide(fresh)), 'back-to-source');
  });
});

function joinAll(
  cluster: TestCluster,
  count: number,
): [SchedulerPeer, SchedulerPeer, SchedulerPeer, ...SchedulerPeer[]] {
  const peers = Array.from({ length: count }, (_, index) => cluster.join(`host${index}`));
  return peers as [SchedulerPeer, SchedulerPeer, SchedulerPeer, ...SchedulerPeer[]];
}

async function joinAndStart(
  cluster: TestCluster,
  host: string,
  changes: Partial<PeerRegistration> = {},
): Promise<SchedulerPeer> {
  const peer = cluster.join(host, changes);
  assert.equal((await cluster.decide(peer)).kind, 'parents');
  cluster.core.report(peer, { kind: 'started' });
  return peer;
}

function unlike(): SchedulerPeer['content'] {
  return { contentLength: 12_345, pieceLength: 4 * 1024 * 1024, pieceCount: 1 };
}
