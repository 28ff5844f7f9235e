import assert from 'node:assert/strict';
import { Cluster, SCHEDULER_PORT } from './support/cluster.js';
import { requirePrograms } from './support/programs.js';
import { untilSeedIsTriggered } from './support/seed.js';

const CONTENT_BYTES = 50_000_000;

describe('schedulers', function () {
  this.timeout(150_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  it('two Dragonfly daemons share pieces through the embedded scheduler', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const host = cluster.network.addHost();
    const config = { scheduler: { embedded: { enable: true, ip: host.ip, port: SCHEDULER_PORT } } };
    await cluster.startPeer('dfpeer', 'scheduler', { host, config });
    const dynconfig = await cluster.writeDynconfig(host.ip);
    const parent = await cluster.startPeer('dragonfly', 'parent', { dynconfig });
    const child = await cluster.startPeer('dragonfly', 'child', { dynconfig });
    await cluster.download(parent);
    await cluster.download(child);
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');
    assert.deepEqual(await parent.traffic(), { fromOrigin: CONTENT_BYTES, fromPeers: 0, uploaded: CONTENT_BYTES });
    assert.deepEqual(await child.traffic(), { fromOrigin: 0, fromPeers: CONTENT_BYTES, uploaded: 0 });
  });

  it('Dragonfly’s scheduler triggers a dfpeer seed, and a Dragonfly child takes every byte from it', async () => {
    const { dynconfig } = await cluster.startScheduler();
    const seed = await cluster.startPeer('dfpeer', 'seed', {
      dynconfig,
      // The request comes from the network, and the origin is in a private one.
      config: { seedPeer: { enable: true, type: 'super' }, download: { originAllowList: [cluster.network.cidr] } },
    });
    const child = await cluster.startPeer('dragonfly', 'child', { dynconfig });
    await untilSeedIsTriggered(cluster, seed, child);
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const [seedBefore, childBefore] = await Promise.all([seed.traffic(), child.traffic()]);
    await cluster.download(child);
    const [seedAfter, childAfter] = await Promise.all([seed.traffic(), child.traffic()]);
    assert.equal(origin.contentBytes, CONTENT_BYTES);
    assert.equal(seedAfter.fromOrigin - seedBefore.fromOrigin, CONTENT_BYTES);
    assert.equal(seedAfter.uploaded - seedBefore.uploaded, CONTENT_BYTES);
    assert.equal(childAfter.fromPeers - childBefore.fromPeers, CONTENT_BYTES);
    assert.equal(childAfter.fromOrigin, childBefore.fromOrigin);

    // What only the child is not to do, the seed is still asked for.
    await cluster.download(child, { path: '/from-peers-only', flags: ['--disable-back-to-source'] });
    assert.equal((await child.traffic()).fromOrigin, childBefore.fromOrigin, 'the seed did not give it');
    assert.equal(origin.contentBytes, 2 * CONTENT_BYTES);
  });

  it('a dfpeer parent is found again by what it holds when the scheduler was killed and restarted', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig, program: scheduler } = await cluster.startScheduler();
    const parent = await cluster.startPeer('dfpeer', 'parent', { dynconfig });
    await cluster.download(parent);
    await scheduler.end('SIGKILL');
    // Nobody schedules: what is not stored comes from the origin.
    const other = await cluster.download(parent, { path: '/without-scheduler' });
    assert.ok(other.length > 0);
    const contentBytes = origin.contentBytes;
    assert.equal(contentBytes, 2 * CONTENT_BYTES);
    await scheduler.start();
    await parent.untilStoredTasksAreAnnounced();
    const child = await cluster.startPeer('dragonfly', 'child', { dynconfig });
    await cluster.download(child);
    assert.equal(origin.contentBytes, contentBytes, 'the origin was asked for content again');
    assert.equal((await child.traffic()).fromPeers, CONTENT_BYTES);
  });

  it('a download goes on when the scheduler is killed in the middle of it', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig, program: scheduler } = await cluster.startScheduler();
    const parent = await cluster.startPeer('dragonfly', 'parent', { dynconfig });
    // A slow parent would have the child ask the origin too.
    const child = await cluster.startPeer('dfpeer', 'child', {
      dynconfig,
      config: { download: { bandwidthLimit: '10MB' } },
    });
    await cluster.download(parent);
    const download = cluster.download(child);
    await child.untilDownloading();
    await scheduler.end('SIGKILL');
    await download;
    assert.equal((await child.traffic()).fromPeers, CONTENT_BYTES, 'not all from the parent that was known');
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');
  });
});
