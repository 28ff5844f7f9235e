import assert from 'node:assert/strict';
import { HashRing } from '../../src/scheduler-client/hash-ring.js';
import { computeTaskId } from '../../src/core/task-id.js';
import { until } from '../support/until.js';
import { Cluster, SCHEDULER_PORT, type SchedulerProgram } from './support/cluster.js';
import type { Peer } from './support/peer.js';
import { requirePrograms } from './support/programs.js';
import { PROBED, SchedulerProbe } from './support/scheduler-probe.js';

const CONTENT_BYTES = 5_000_000;
const TASKS_OF_EACH = 15;

describe('two of Dragonfly’s schedulers', function () {
  this.timeout(150_000);
  let cluster: Cluster;
  let schedulers: readonly [SchedulerProgram, SchedulerProgram];
  let probes: readonly [SchedulerProbe, SchedulerProbe];

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
    schedulers = [await cluster.startScheduler(undefined, PROBED), await cluster.startScheduler(undefined, PROBED)];
    probes = [new SchedulerProbe(schedulers[0].host.ip), new SchedulerProbe(schedulers[1].host.ip)];
  });
  afterEach(async () => {
    for (const probe of probes ?? []) probe.close();
    await cluster?.close();
  });

  /** Paths of `count` tasks that the first, or else the second, is responsible for. */
  function pathsOf(which: 0 | 1, count: number, name: string): string[] {
    const ring = new HashRing(schedulers.map(({ host: { ip } }) => ({ ip, port: SCHEDULER_PORT })));
    const paths: string[] = [];
    for (let n = 0; paths.length < count; n++) {
      const path = `/${name}-${n}`;
      if (ring.pick(taskOf(path))?.ip === schedulers[which].host.ip) paths.push(path);
    }
    return paths;
  }

  function taskOf(path: string): string {
    return computeTaskId({ url: cluster.origin.url(path) });
  }

  async function share(path: string, parent: Peer, child: Peer): Promise<void> {
    const before = cluster.origin.contentBytes;
    await cluster.download(parent, { path });
    await cluster.download(child, { path });
    assert.equal(cluster.origin.contentBytes - before, CONTENT_BYTES, `the origin served ${path} more than once`);
  }

  async function untilKnown(probe: SchedulerProbe, paths: readonly string[]): Promise<void> {
    await until(`the scheduler to know ${paths.length} tasks`, async () =>
      (await Promise.all(paths.map((path) => probe.knows(taskOf(path))))).every(Boolean),
    );
  }

  it('share the tasks of peers of both makers by the same ring, and take over from each other', async () => {
    const dynconfig = await cluster.writeDynconfig(...schedulers.map(({ host }) => host.ip));
    await cluster.startOrigin(CONTENT_BYTES);
    const parent = await cluster.startPeer('dfpeer', 'parent', { dynconfig });
    const child = await cluster.startPeer('dragonfly', 'child', { dynconfig });
    for (const probe of probes) assert.deepEqual(await probe.hostnames(), ['child', 'parent']);

    const [ofFirst, ofSecond] = [pathsOf(0, TASKS_OF_EACH, 'file'), pathsOf(1, TASKS_OF_EACH, 'file')];
    for (const path of [...ofFirst, ...ofSecond]) await cluster.downloadByCall(parent, path);
    const ofBoth = [ofFirst, ofSecond] as const;
    for (const which of [0, 1] as const) {
      for (const path of ofBoth[which]) assert.ok(await probes[which].knows(taskOf(path)), path);
      for (const path of ofBoth[1 - which] ?? []) assert.ok(!(await probes[which].knows(taskOf(path))), path);
      await cluster.download(child, { path: ofBoth[which][0] ?? '' });
      assert.equal((await child.traffic()).fromPeers, CONTENT_BYTES * (which + 1));
    }

    const atSecond = await probes[1].registrations();
    await schedulers[0].program.end('SIGKILL');
    await untilKnown(probes[1], ofFirst);
    assert.equal((await probes[1].registrations()) - atSecond, TASKS_OF_EACH, 'announced to the second');
    const [orphan = ''] = pathsOf(0, 1, 'orphan');
    await share(orphan, parent, child);
    assert.ok(await probes[1].knows(taskOf(orphan)));

    const beforeReturn = await probes[1].registrations();
    await schedulers[0].program.start();
    await untilKnown(probes[0], [...ofFirst, orphan]);
    assert.equal(await probes[0].registrations(), TASKS_OF_EACH + 1, 'announced to the first, which had forgotten all');
    assert.equal(await probes[1].registrations(), beforeReturn, 'the second was told what it knew');
    const third = await cluster.startPeer('dragonfly', 'third', { dynconfig });
    await cluster.download(third, { path: ofFirst[1] ?? '' });
    assert.deepEqual(await third.traffic(), { fromOrigin: 0, fromPeers: CONTENT_BYTES, uploaded: 0 });
  });
});
