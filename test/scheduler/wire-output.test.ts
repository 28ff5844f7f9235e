import assert from 'node:assert/strict';
import { SizeScope } from '../../src/generated/common/v2/SizeScope.js';
import { WireOutput } from '../../src/scheduler/wire-output.js';
import { PIECE_LENGTH, registration, taskId, TestCluster } from './cluster-fixture.js';

describe('what the embedded scheduler tells', () => {
  const output = new WireOutput();

  it('of a peer is its range, its state, and how long it took', async () => {
    const cluster = new TestCluster();
    const range = { offset: 2, length: 5 };
    const peer = cluster.join('host', { range, priority: 3, concurrentPieceCount: 4 });
    const { task, host, createdAt, updatedAt, ...told } = output.peer(peer);
    assert.deepEqual(told, {
      id: 'host-peer',
      state: 'ReceivedNormal',
      priority: 3,
      range: { start: 2, length: 5 },
      cost: { seconds: 0, nanos: 0 },
      needBackToSource: false,
      concurrentPieceCount: 4,
    });
    assert.deepEqual([task?.id, host?.id], [taskId(), 'host']);
    assert.deepEqual(createdAt, updatedAt);
    cluster.core.report(peer, { kind: 'back-to-source-started' });
    assert.equal(output.peer(peer).needBackToSource, true);
    cluster.clock.advance(2500);
    cluster.core.report(peer, { kind: 'finished', from: 'source' });
    cluster.clock.advance(1000);
    const { cost, needBackToSource, updatedAt: at } = output.peer(peer);
    assert.deepEqual([cost, needBackToSource], [{ seconds: 2, nanos: 500_000_000 }, false]);
    assert.notDeepEqual(at, createdAt);
  });

  it('of a peer that says little leaves out what is not known', () => {
    const told = output.peer(new TestCluster().join('host', { concurrentPieceCount: undefined }));
    assert.ok(!('range' in told) && !('concurrentPieceCount' in told));
    assert.equal(output.peer(new TestCluster().join('host', { needBackToSource: true })).needBackToSource, true);
  });

  it('of a task is what tells it apart, and whether somebody gives', async () => {
    const cluster = new TestCluster();
    const labels = { digest: 'crc32:1', tag: 't', application: 'x', filteredQueryParams: ['sig'] };
    const peer = cluster.join('host', { task: { ...registration('host').task, ...labels } });
    const { createdAt, updatedAt, ...told } = output.task(cluster.core.task(taskId()));
    assert.deepEqual(told, {
      id: taskId(),
      type: 0,
      url: 'http://origin/file',
      ...labels,
      contentLength: 10 * PIECE_LENGTH,
      pieceCount: 10,
      sizeScope: 0,
      state: 'Running',
      peerCount: 1,
      hasAvailablePeer: false,
    });
    assert.deepEqual(createdAt, updatedAt);
    for (const kind of ['started', 'back-to-source-started'] as const) {
      cluster.core.report(peer, { kind });
      assert.equal(output.task(peer.task).hasAvailablePeer, true, kind);
    }
    cluster.core.report(peer, { kind: 'finished', from: 'source' });
    assert.equal(output.task(peer.task).hasAvailablePeer, true);
  });

  it('of a task without labels has none, nor a length that nobody knows', () => {
    const cluster = new TestCluster();
    cluster.join('host', { content: { contentLength: undefined, pieceLength: undefined, pieceCount: undefined } });
    const told = output.task(cluster.core.task(taskId()));
    assert.ok(!('digest' in told) && !('tag' in told) && !('application' in told));
    assert.deepEqual([told.contentLength, told.pieceCount], ['18446744073709551615', 0]);
    const empty = new TestCluster();
    empty.join('host', { content: { contentLength: 0, pieceLength: PIECE_LENGTH, pieceCount: 0 } });
    assert.equal(output.task(empty.core.task(taskId())).sizeScope, SizeScope.EMPTY);
  });

  it('of a candidate is not what concerns its host alone', () => {
    const cluster = new TestCluster();
    const { host, ...peer } = cluster.join('host', {}, { disableShared: true });
    const announced = {
      id: 'host',
      hostname: 'host',
      ip: '127.0.0.1',
      disableShared: true,
      name: 'pod',
      schedulerClusterId: 7,
    };
    output.remember(host, announced as unknown as Parameters<WireOutput['remember']>[1]);
    assert.deepEqual(output.host(host), announced);
    const { name, schedulerClusterId, disableShared } = output.peer({ ...peer, host }).host ?? {};
    assert.deepEqual([name, schedulerClusterId, disableShared], ['', 0, false]);
  });
});
