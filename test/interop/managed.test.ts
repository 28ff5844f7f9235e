import assert from 'node:assert/strict';
import { Cluster } from './support/cluster.js';
import { ManagedBackend } from './support/managed-backend.js';
import { requireCommands, requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 50_000_000;

describe('a cluster with Dragonfly’s manager, redis and a database', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'manager', 'dfdaemon', 'dfget');
    requireCommands(this, 'redis-server', 'mariadbd', 'mariadb-install-db', 'mariadb');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  it('takes a dfpeer in, which survives the manager and the scheduler being killed and restarted', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const backend = await ManagedBackend.start(cluster);
    const { program: scheduler } = await cluster.startScheduler(backend.host, backend.schedulerConfig);
    await backend.untilSchedulerIsActive();
    const config = { manager: { addr: backend.managerAddress } };
    const parent = await cluster.startPeer('dfpeer', 'parent', { config });
    const child = await cluster.startPeer('dragonfly', 'child', { config });

    await cluster.download(parent);
    await cluster.download(child);
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');
    assert.equal((await child.traffic()).fromPeers, CONTENT_BYTES);

    await backend.manager.end('SIGKILL');
    const path = '/without-manager';
    await cluster.download(child, { path });
    await cluster.download(parent, { path });
    assert.equal(origin.contentBytes, 2 * CONTENT_BYTES, 'without the manager the known scheduler was left');

    await scheduler.end('SIGKILL');
    await backend.manager.start();
    await scheduler.start();
    await backend.untilSchedulerIsActive();
    await parent.untilStoredTasksAreAnnounced();
    const third = await cluster.startPeer('dragonfly', 'third', { config });
    await cluster.download(third);
    assert.equal(origin.contentBytes, 2 * CONTENT_BYTES, 'what dfpeer holds was not announced to the new scheduler');
    assert.equal((await third.traffic()).fromPeers, CONTENT_BYTES);
  });
});
