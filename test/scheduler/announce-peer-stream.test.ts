import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { DEFAULT_SCHEDULER_TIMINGS } from '../../src/scheduler/limits.js';
import { ManualClock } from '../support/manual-clock.js';
import { answerOf, call, DOWNLOAD, TestScheduler } from './peer-client.js';

describe("a peer's stream at the embedded scheduler", () => {
  it('may be another one after it broke', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    const host = await scheduler.host('a');
    const first = await host.source();
    await until(() => scheduler.server.status().peers.BackToSource === 1);
    first.stream.cancel();
    await until(() => scheduler.server.status().streams === 0);
    const second = host.peer();
    assert.equal(answerOf(await second.reschedule()), 'needBackToSourceResponse');
    clock.advance(2 * DEFAULT_SCHEDULER_TIMINGS.streamGraceMs);
    assert.deepEqual(scheduler.server.status().peers, { BackToSource: 1 });
  });

  it('waits for no parents any longer once it broke', async () => {
    await using scheduler = await TestScheduler.start({ clock: new ManualClock() });
    await (await scheduler.host('first')).register();
    const host = await scheduler.host('second');
    const waiting = host.peer();
    waiting.say({ registerPeerRequest: { download: DOWNLOAD } });
    await until(() => scheduler.server.status().waiting === 1);
    waiting.stream.cancel();
    await until(() => scheduler.server.status().waiting === 0);
  });

  it('is for one peer, and a second one is not there after it was refused', async () => {
    await using scheduler = await TestScheduler.start();
    const { peer } = await (await scheduler.host('a')).register();
    peer.stream.write({ ...peer.ids, peerId: 'second', registerPeerRequest: { download: DOWNLOAD } });
    const { code, details } = await peer.status;
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details, /one AnnouncePeer stream is for one peer/);
    assert.deepEqual(scheduler.server.status().peers, { ReceivedNormal: 1 });
  });

  it('ends at the next look when its peer was deleted, and others go on', async () => {
    const clock = new ManualClock();
    await using scheduler = await TestScheduler.start({ clock });
    const [gone, stays] = [await scheduler.host('gone'), await scheduler.host('stays')];
    const [{ peer }, other] = [await gone.register(), await stays.source()];
    await call((done) => gone.client.deletePeer(peer.ids, done));
    clock.advance(DEFAULT_SCHEDULER_TIMINGS.gcIntervalMs);
    const { code, details } = await peer.status;
    assert.equal(code, status.NOT_FOUND);
    assert.match(details, /peer gone-peer not found; announce its host, then register it/);
    assert.equal(answerOf(await other.reschedule()), 'needBackToSourceResponse');
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
