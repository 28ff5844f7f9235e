import assert from 'node:assert/strict';
import { status, type StatusObject } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { silentLogger } from '../../src/core/logger.js';
import type { StatTaskRequest } from '../../src/generated/scheduler/v2/StatTaskRequest.js';
import type { Peer__Output } from '../../src/generated/common/v2/Peer.js';
import type { Task__Output } from '../../src/generated/common/v2/Task.js';
import type { ListHostsResponse__Output } from '../../src/generated/scheduler/v2/ListHostsResponse.js';
import { DEFAULT_SCHEDULER_LIMITS, DEFAULT_SCHEDULER_TIMINGS } from '../../src/scheduler/limits.js';
import { startEmbeddedScheduler } from '../../src/scheduler/embedded-scheduler.js';
import { taskId } from './cluster-fixture.js';
import { ManualClock } from '../support/manual-clock.js';
import { answerOf, call, DOWNLOAD, TestScheduler, type TestPeer } from './peer-client.js';

describe('the embedded scheduler, used by grpc-js clients', () => {
  it('sends exactly one of many peers to the source, and gives it to all others', async () => {
    await using scheduler = await TestScheduler.start();
    const hosts = await Promise.all(Array.from({ length: 12 }, (_, index) => scheduler.host(`host${index}`)));
    const sources: TestPeer[] = [];
    const answers = await Promise.all(
      hosts.map(async (host) => {
        const { peer, answer } = await host.register();
        if (answer.needBackToSourceResponse) {
          sources.push(peer);
          peer.say({ downloadPeerBackToSourceStartedRequest: {} });
        } else peer.say({ downloadPeerStartedRequest: {} });
        return answerOf(answer);
      }),
    );
    assert.equal(sources.length, 1);
    const parents = answers.filter((answer) => Array.isArray(answer));
    assert.equal(parents.length, 11);
    for (const ids of parents) {
      assert.ok(ids.includes(sources[0]?.ids.peerId ?? ''), `${ids.join(' ')} lacks the peer at the source`);
      assert.ok(ids.length <= DEFAULT_SCHEDULER_LIMITS.maxParents);
    }
  });

  it('starts on another port, with the same metrics, where the first one is taken', async () => {
    const options = { ip: '127.0.0.1', logger: silentLogger };
    const first = await startEmbeddedScheduler({ ...options, port: 0 });
    const registry = new Registry();
    await assert.rejects(startEmbeddedScheduler({ ...options, port: first.port, registry }), { code: 'DFP_LISTEN' });
    const second = await startEmbeddedScheduler({ ...options, port: 0, registry });
    assert.match(await registry.metrics(), /^dfpeer_scheduler_hosts 0$/m);
    await Promise.all([first.stop(), second.stop()]);
  });

  it('sends another peer to the source when the first one fails, breaks off, or is cancelled', async () => {
    await using scheduler = await TestScheduler.start();
    const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map((id) => scheduler.host(id)));
    assert.ok(a && b && c && d);
    const first = await a.register();
    assert.equal(answerOf(first.answer), 'needBackToSourceResponse');
    const second = b.register();
    await waitingPeers(scheduler, 1);
    first.peer.say({ downloadPeerBackToSourceFailedRequest: { description: 'origin refused' } });
    assert.equal(answerOf((await second).answer), 'needBackToSourceResponse');

    const third = c.register();
    await waitingPeers(scheduler, 1);
    (await second).peer.stream.cancel();
    assert.equal(answerOf((await third).answer), 'needBackToSourceResponse');

    const fourth = d.register();
    await waitingPeers(scheduler, 1);
    c.client.close();
    (await third).peer.stream.cancel();
    assert.equal(answerOf((await fourth).answer), 'needBackToSourceResponse');
  });

  it('fails the peer of a cancelled stream after the grace, and offers it no longer', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    const source = await (await scheduler.host('a')).source();
    const child = await (await scheduler.host('b')).register();
    assert.deepEqual(answerOf(child.answer), ['a-peer']);
    source.stream.cancel();
    await source.status;
    await until(() => scheduler.server.status().streams === 1);
    assert.deepEqual(answerOf(await child.peer.reschedule()), ['a-peer']);
    clock.advance(2000);
    assert.equal(answerOf(await child.peer.reschedule()), 'needBackToSourceResponse');
    assert.equal(scheduler.server.status().peers.Failed, 1);
  });

  it('forgets nobody for a time in which it was stopped itself', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    await (await scheduler.host('a')).complete();
    clock.holdUp(DEFAULT_SCHEDULER_TIMINGS.hostIdleMs * 2);
    assert.deepEqual(answerOf((await (await scheduler.host('b')).register()).answer), ['a-peer']);
    clock.advance(DEFAULT_SCHEDULER_TIMINGS.hostIdleMs + DEFAULT_SCHEDULER_TIMINGS.gcIntervalMs * 2);
    assert.equal(scheduler.server.status().hosts, 0);
  });

  it('never offers a parent again that was named in a reschedule', async () => {
    await using scheduler = await TestScheduler.start();
    for (const id of ['a', 'b', 'c']) await (await scheduler.host(id)).complete();
    const { peer, answer } = await (await scheduler.host('child')).register();
    assert.deepEqual(answerOf(answer), ['a-peer', 'b-peer', 'c-peer']);
    const parents = answer.normalTaskResponse?.candidateParents ?? [];
    const bad = parents.filter(({ id }) => id !== 'b-peer');
    // Echoed as they came, as the wire demands.
    assert.deepEqual(answerOf(await peer.reschedule(bad)), ['b-peer']);
    assert.deepEqual(answerOf(await peer.reschedule()), ['b-peer']);
    const { needBackToSourceResponse } = await peer.reschedule(parents);
    assert.match(
      needBackToSourceResponse?.description ?? '',
      /^no other peer has .*, except those that were given up$/,
    );
  });

  it('ends the stream with OK after each kind of last message', async () => {
    await using scheduler = await TestScheduler.start();
    const last = [
      'downloadPeerFinishedRequest',
      'downloadPeerBackToSourceFinishedRequest',
      'downloadPeerFailedRequest',
      'downloadPeerBackToSourceFailedRequest',
    ] as const;
    for (const kind of last) {
      const { peer } = await (await scheduler.host(kind)).register({ needBackToSource: true });
      peer.say({ downloadPeerBackToSourceStartedRequest: {} });
      peer.say({ [kind]: {} });
      assert.equal((await peer.status).code, status.OK, kind);
    }
  });

  it('ends the stream with OK when the client closes its half', async () => {
    await using scheduler = await TestScheduler.start();
    const { peer } = await (await scheduler.host('a')).register();
    peer.stream.end();
    assert.equal((await peer.status).code, status.OK);
  });

  it('says in its headers that it is the embedded one, before the first answer', async () => {
    await using scheduler = await TestScheduler.start();
    const peer = (await scheduler.host('a')).peer();
    assert.deepEqual((await peer.metadata).get('dfpeer-scheduler'), ['embedded']);
  });

  it('forgets the peers of a deleted host, and tells their streams', async () => {
    await using scheduler = await TestScheduler.start();
    const [a, b] = [await scheduler.host('a'), await scheduler.host('b')];
    const source = await a.source();
    await call((done) => a.client.deleteHost({ hostId: 'a' }, done));
    assert.equal(answerOf((await b.register()).answer), 'needBackToSourceResponse');
    source.say({ downloadPeerBackToSourceFinishedRequest: {} });
    assert.equal((await source.status).code, status.NOT_FOUND);
    await assert.rejects(
      call((done) => a.client.deleteHost({ hostId: 'a' }, done)),
      { code: status.NOT_FOUND },
    );
  });

  it('collects a silent host, and ends the streams of its peers', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    const source = await (await scheduler.host('a')).source();
    assert.equal(scheduler.server.status().hosts, 1);
    clock.advance(610_000);
    assert.equal(scheduler.server.status().hosts, 0);
    assert.equal((await source.status).code, status.NOT_FOUND);
  });

  it('refuses what the wire refuses, with its codes', async () => {
    await using scheduler = await TestScheduler.start();
    const host = await scheduler.host('a');
    const { peer } = await host.register();
    const refusals: [string, TestPeer, Parameters<TestPeer['ask']>[0], status, RegExp][] = [
      ['no registration', host.peer('x'), { downloadPeerStartedRequest: {} }, status.NOT_FOUND, /peer x not found/],
      [
        'registered twice',
        host.peer(),
        register(),
        status.INTERNAL,
        /event RegisterNormal inappropriate in current state/,
      ],
      ['no request', host.peer('x'), {}, status.INVALID_ARGUMENT, /request/],
      ['task id', host.peer('x'), { ...register(), taskId: '../etc' }, status.INVALID_ARGUMENT, /64 lower-case hex/],
      ['empty peer id', host.peer(''), register(), status.INVALID_ARGUMENT, /peerId/],
      ['somebody else’s peer', host.peer(), { hostId: 'b', ...started() }, status.INVALID_ARGUMENT, /another host/],
      ['wrong order', peer, { downloadPieceFinishedRequest: {} }, status.INVALID_ARGUMENT, /piece: must be set/],
    ];
    for (const [what, refused, request, code, why] of refusals)
      await assert.rejects(refused.ask(request), (error) => {
        assert.ok(error instanceof Error && 'code' in error);
        assert.equal(error.code, code, what);
        assert.match(error.message, why, what);
        return true;
      });
    const stranger = scheduler.client().announcePeer();
    stranger.on('error', () => undefined);
    stranger.write({ hostId: 'nobody', taskId: taskId(), peerId: 'p', ...register() });
    const ended = await new Promise<StatusObject>((resolve) => stranger.once('status', resolve));
    assert.equal(ended.code, status.NOT_FOUND);
    assert.match(ended.details, /^peer p not found/);
  });

  it('fails a peer that reports out of order, with INTERNAL', async () => {
    await using scheduler = await TestScheduler.start();
    const host = await scheduler.host('a');
    const source = await host.source();
    await assert.rejects(source.ask({ downloadPeerStartedRequest: {} }), { code: status.INTERNAL });
    const stat = await call<Peer__Output>((done) => host.client.statPeer({ ...source.ids }, done));
    assert.equal(stat?.state, 'Failed');
  });

  it('tells about hosts, peers and tasks', async () => {
    await using scheduler = await TestScheduler.start();
    const [a, seed] = [
      await scheduler.host('a', { os: 'linux', name: 'n' }),
      await scheduler.host('seed', { type: 1 }),
    ];
    await seed.complete();
    const { client } = a;
    const list = (type?: number): Promise<ListHostsResponse__Output | undefined> =>
      call((done) => client.listHosts(type === undefined ? {} : { type }, done));
    assert.deepEqual(
      (await list())?.hosts.map(({ id, os, name }) => [id, os, name]),
      [
        ['a', 'linux', 'n'],
        ['seed', '', ''],
      ],
    );
    assert.deepEqual(
      (await list(1))?.hosts.map(({ id }) => id),
      ['seed'],
    );

    const peer = await call<Peer__Output>((done) =>
      client.statPeer({ hostId: 'x', taskId: 'x', peerId: 'seed-peer' }, done),
    );
    assert.deepEqual([peer?.state, peer?.host?.id, peer?.task?.id], ['Succeeded', 'seed', taskId()]);
    const stat = (request: StatTaskRequest): Promise<Task__Output | undefined> =>
      call((done) => client.statTask({ hostId: 'x', ...request }, done));
    const task = await stat({ taskId: taskId() });
    assert.deepEqual([task?.state, task?.peerCount, task?.hasAvailablePeer], ['Succeeded', 1, true]);
    assert.equal(task?.contentLength, DOWNLOAD.actualContentLength);
    await assert.rejects(stat({ taskId: 'unknown' }), { code: status.NOT_FOUND });

    await call((done) => client.deleteTask({ hostId: 'seed', taskId: taskId() }, done));
    await assert.rejects(
      call((done) => client.statPeer({ hostId: 'x', taskId: 'x', peerId: 'seed-peer' }, done)),
      { code: status.NOT_FOUND },
    );
    await call((done) => client.deletePeer({ hostId: 'x', taskId: 'x', peerId: 'seed-peer' }, done));
    await assert.rejects(
      call((done) => client.deleteTask({ hostId: 'nobody', taskId: taskId() }, done)),
      { code: status.NOT_FOUND },
    );
  });

  it('keeps the request headers of a peer to itself', async () => {
    await using scheduler = await TestScheduler.start();
    const { peer } = await (
      await scheduler.host('a')
    ).register({
      metadataOnly: true,
      requestHeader: { Authorization: 'Bearer secret' },
    });
    peer.say({ downloadPeerStartedRequest: {} });
    peer.say({ downloadPeerFinishedRequest: {} });
    await peer.status;
    const { answer } = await (await scheduler.host('b')).register();
    assert.ok(answer.normalTaskResponse);
    assert.ok(!JSON.stringify(answer).includes('secret'));
  });

  it('writes an unknown length as the wire does, 2^64-1', async () => {
    await using scheduler = await TestScheduler.start();
    const host = await scheduler.host('a');
    const peer = await host.source();
    peer.say({ downloadPeerBackToSourceFailedRequest: {} });
    await peer.status;
    const task = await call<Task__Output>((done) => host.client.statTask({ hostId: 'a', taskId: taskId() }, done));
    assert.equal(task?.contentLength, 2 ** 64);
  });

  it('refuses calls and streams beyond its rate', async () => {
    const registry = new Registry();
    await using scheduler = await TestScheduler.start({ registry, serverLimits: { requestsPerSecond: 2 } });
    const client = scheduler.client();
    const results = await Promise.allSettled(
      Array.from({ length: 6 }, () => call((done) => client.listHosts({}, done))),
    );
    const refused = results.filter(({ status: how }) => how === 'rejected');
    assert.ok(refused.length >= 3, `${refused.length} of 6 refused`);
    for (const { reason } of refused as PromiseRejectedResult[])
      assert.equal((reason as { code: status }).code, status.RESOURCE_EXHAUSTED);
    assert.ok((await registry.metrics()).includes(`dfpeer_scheduler_refused_requests_total ${refused.length}\n`));
  });

  it('refuses a stream too many', async () => {
    await using scheduler = await TestScheduler.start({ limits: { maxStreams: 1 } });
    const host = await scheduler.host('a');
    const { peer } = await host.register();
    const another = host.peer('another');
    assert.equal((await another.status).code, status.RESOURCE_EXHAUSTED);
    peer.stream.cancel();
    await until(() => scheduler.server.status().streams === 0);
    const third = host.peer('third');
    assert.equal((await third.metadata).get('dfpeer-scheduler').length, 1);
  });

  it('ends its streams and closes its port when it stops', async () => {
    await using scheduler = await TestScheduler.start();
    const { peer } = await (await scheduler.host('a')).register();
    await scheduler.server.stop();
    assert.equal((await peer.status).code, status.UNAVAILABLE);
    const again = await startEmbeddedScheduler({ ip: '127.0.0.1', port: scheduler.server.port, logger: silentLogger });
    await assert.rejects(startEmbeddedScheduler({ ip: '127.0.0.1', port: again.port, logger: silentLogger }), {
      code: 'DFP_LISTEN',
    });
    await again.stop();
  });

  it('counts what it keeps and decides in metrics', async () => {
    const registry = new Registry();
    await using scheduler = await TestScheduler.start({ registry });
    await (await scheduler.host('a')).complete();
    await (await scheduler.host('b')).register();
    const text = await registry.metrics();
    for (const line of [
      'dfpeer_scheduler_hosts 2',
      'dfpeer_scheduler_tasks 1',
      'dfpeer_scheduler_peers{state="Succeeded"} 1',
      'dfpeer_scheduler_peers{state="ReceivedNormal"} 1',
      'dfpeer_scheduler_decisions_total{decision="metadata-only"} 1',
      'dfpeer_scheduler_decisions_total{decision="parents"} 1',
    ])
      assert.ok(text.split('\n').includes(line), `${line} is missing`);
  });
});

function register(): { registerPeerRequest: { download: typeof DOWNLOAD } } {
  return { registerPeerRequest: { download: DOWNLOAD } };
}

function started(): { downloadPeerStartedRequest: object } {
  return { downloadPeerStartedRequest: {} };
}

async function waitingPeers(scheduler: TestScheduler, count: number): Promise<void> {
  await until(() => scheduler.server.status().waiting === count);
}

/** What happens in another part of this process, and raises no event that a client could await. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
