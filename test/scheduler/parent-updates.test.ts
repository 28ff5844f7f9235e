import assert from 'node:assert/strict';
import { Metadata } from '@grpc/grpc-js';
import { PARENTS_KEY, PUSHED_PARENTS } from '../../src/grpc/metadata-keys.js';
import type { SchedulerPeer } from '../../src/scheduler/model.js';
import { GATHER_JOINS_MS, MIN_UPDATE_INTERVAL_MS } from '../../src/scheduler/parent-updates.js';
import { summary, TestCluster } from './cluster-fixture.js';
import { ManualClock } from '../support/manual-clock.js';
import { answerOf, DOWNLOAD, TestScheduler, type TestHost } from './peer-client.js';

/** A running peer, and whom it has been told of, one entry a message. */
async function runningPeer(cluster: TestCluster, hostId: string): Promise<{ peer: SchedulerPeer; told: string[][] }> {
  const peer = cluster.join(hostId);
  const told: string[][] = [];
  cluster.core.updates.subscribe({
    peer,
    isReady: () => peer.state === 'Running',
    tell: (parents) => told.push(parents.map(({ id }) => id).sort()),
  });
  assert.notEqual(summary(await cluster.decide(peer)), 'back-to-source');
  cluster.core.report(peer, { kind: 'started' });
  return { peer, told };
}

describe('parent updates', () => {
  it('tell a running peer of all that joined in the meantime, once', async () => {
    const cluster = new TestCluster();
    await cluster.source('a');
    const { told } = await runningPeer(cluster, 'b');
    for (const id of ['c', 'd']) cluster.join(id);
    assert.deepEqual(told, []);
    cluster.clock.advance(GATHER_JOINS_MS);
    assert.deepEqual(told, [['c-peer', 'd-peer']]);
    cluster.clock.advance(10 * MIN_UPDATE_INTERVAL_MS);
    assert.equal(told.length, 1);
  });

  it('go both ways: two peers that run become parents of each other', async () => {
    const cluster = new TestCluster();
    await cluster.source('a');
    const first = await runningPeer(cluster, 'b');
    const second = await runningPeer(cluster, 'c');
    cluster.clock.advance(GATHER_JOINS_MS);
    assert.deepEqual(first.told, [['c-peer']]);
    assert.ok(first.peer.parents.has(second.peer) && second.peer.parents.has(first.peer));
  });

  it('come at most once an interval', async () => {
    const cluster = new TestCluster();
    await cluster.source('a');
    const { told } = await runningPeer(cluster, 'b');
    cluster.join('c');
    cluster.clock.advance(GATHER_JOINS_MS);
    cluster.join('d');
    cluster.clock.advance(MIN_UPDATE_INTERVAL_MS - 1);
    assert.deepEqual(told, [['c-peer']]);
    cluster.clock.advance(1);
    assert.deepEqual(told, [['c-peer'], ['d-peer']]);
  });

  it('stop at the number of parents that a peer may have, and fill up when one fails', async () => {
    const cluster = new TestCluster({ limits: { maxParents: 2 } });
    await cluster.source('a');
    const { peer, told } = await runningPeer(cluster, 'b');
    const others = ['c', 'd'].map((id) => cluster.join(id));
    cluster.clock.advance(GATHER_JOINS_MS);
    assert.equal(told.flat().length, 1);
    assert.equal(peer.parents.size, 2);
    cluster.join('e', {}, { disableShared: true });
    cluster.clock.advance(MIN_UPDATE_INTERVAL_MS);
    assert.equal(told.length, 1, 'nor does it hear of none');
    const failed = others.find((other) => peer.parents.has(other));
    assert.ok(failed);
    cluster.core.report(failed, { kind: 'failed', from: 'parents', description: 'gone' });
    cluster.clock.advance(MIN_UPDATE_INTERVAL_MS);
    assert.deepEqual(told.flat().sort(), ['c-peer', 'd-peer']);
  });

  it('never name a parent that the peer has reported', async () => {
    const cluster = new TestCluster();
    await cluster.source('a');
    const { peer, told } = await runningPeer(cluster, 'b');
    cluster.join('c');
    cluster.core.report(peer, { kind: 'piece-failed', parentId: 'c-peer', temporary: true });
    cluster.clock.advance(GATHER_JOINS_MS);
    assert.deepEqual(told, []);
  });

  it('pass over a peer that is not ready, and name it no parents that it would not hear of', async () => {
    const cluster = new TestCluster();
    await cluster.source('a');
    const { peer, told } = await runningPeer(cluster, 'b');
    cluster.core.report(peer, { kind: 'back-to-source-started' });
    cluster.join('c');
    cluster.clock.advance(GATHER_JOINS_MS);
    assert.deepEqual(told, []);
    assert.deepEqual(
      [...peer.parents].map(({ id }) => id),
      ['a-peer'],
    );
  });

  it('go on for the others when one ends', async () => {
    const cluster = new TestCluster();
    await cluster.source('a');
    const { peer, told } = await runningPeer(cluster, 'b');
    const end = cluster.core.updates.subscribe({ peer, isReady: () => true, tell: () => assert.fail('it has ended') });
    cluster.join('c');
    end();
    cluster.clock.advance(GATHER_JOINS_MS);
    cluster.join('d');
    cluster.clock.advance(MIN_UPDATE_INTERVAL_MS);
    assert.deepEqual(told, [['c-peer'], ['d-peer']]);
  });

  it('leave no timer behind when nobody listens any more', async () => {
    const cluster = new TestCluster();
    const peer = cluster.join('b');
    const before = cluster.clock.pendingTimers;
    const end = cluster.core.updates.subscribe({ peer, isReady: () => true, tell: () => undefined });
    cluster.join('c');
    assert.equal(cluster.clock.pendingTimers, before + 1);
    end();
    assert.equal(cluster.clock.pendingTimers, before);
  });
});

describe('the embedded scheduler, with peers that join one after the other', () => {
  it('pushes parents to clients that take them, and to nobody else', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    await (await scheduler.host('a')).source();
    const ours = await startedPeer(await scheduler.host('ours'), new Metadata());
    const rust = await startedPeer(await scheduler.host('rust'), undefined);
    assert.deepEqual(rust.first, ['a-peer', 'ours-peer']);
    await until(() => scheduler.server.status().peers.Running === 2);
    clock.advance(GATHER_JOINS_MS);
    assert.deepEqual(answerOf(await ours.pushed), ['rust-peer']);
    // The push would be taken for this answer.
    const late = await (await scheduler.host('late')).register();
    clock.advance(MIN_UPDATE_INTERVAL_MS);
    assert.deepEqual(answerOf(late.answer), ['a-peer', 'ours-peer', 'rust-peer']);
    // Nor is one of those two to wait for the other.
    assert.deepEqual(answerOf(await rust.peer.reschedule()), ['a-peer', 'ours-peer']);
    assert.equal(rust.count(), 2);
  });
});

describe("the embedded scheduler, with clients of Dragonfly's", () => {
  it('leaves them with what they asked for when further peers reach the origin', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    await (await scheduler.host('a')).source();
    const ours = await startedPeer(await scheduler.host('ours'), new Metadata());
    const rust = await startedPeer(await scheduler.host('rust'), undefined);
    await until(() => scheduler.server.status().peers.Running === 2);
    await (await scheduler.host('b')).source();
    await until(() => scheduler.server.status().peers.BackToSource === 2);
    clock.advance(GATHER_JOINS_MS);
    assert.ok(answerOf(await ours.pushed).includes('b-peer'));
    assert.deepEqual(answerOf(await rust.peer.reschedule()), ['a-peer', 'b-peer', 'ours-peer']);
    assert.equal(rust.count(), 2);
  });
});

async function startedPeer(host: TestHost, metadata: Metadata | undefined) {
  metadata?.set(PARENTS_KEY, PUSHED_PARENTS);
  const peer = host.peer(undefined, undefined, metadata);
  let count = 0;
  peer.stream.on('data', () => count++);
  const first = answerOf(await peer.ask({ registerPeerRequest: { download: DOWNLOAD } }));
  const pushed = peer.answer();
  // Of the peer that is never pushed anything the call ends before.
  pushed.catch(() => undefined);
  peer.say({ downloadPeerStartedRequest: {} });
  return { peer, first, pushed, count: () => count };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
