import assert from 'node:assert/strict';
import { until } from '../support/until.js';
import { Cluster } from './support/cluster.js';
import { ManagedBackend } from './support/managed-backend.js';
import { requireCommands, requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 50_000_000;
const SHARED_BYTES = 6_000_000;
/** Both makers' daemons ask their manager for schedulers now and then. */
const REJOIN_TIMEOUT_MS = 60_000;

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

  it('gives and takes on while each of its programs is killed, and is whole again when it is back', async () => {
    const origin = await cluster.startOrigin(SHARED_BYTES);
    const backend = await ManagedBackend.start(cluster);
    const { program: scheduler } = await cluster.startScheduler(backend.host, backend.schedulerConfig);
    await backend.untilSchedulerIsActive();
    const config = { manager: { addr: backend.managerAddress } };
    const parent = await cluster.startPeer('dragonfly', 'parent', { config });
    const child = await cluster.startPeer('dfpeer', 'child', { config });
    let files = 0;
    /** Whether the one takes a new file from the other, in both directions. */
    const share = async (): Promise<boolean> => {
      const before = origin.contentBytes;
      for (const [first, second] of [[parent, child] as const, [child, parent] as const]) {
        const path = `/file-${(files += 1)}`;
        await cluster.download(first, { path });
        await cluster.download(second, { path });
      }
      return origin.contentBytes - before === 2 * SHARED_BYTES;
    };

    for (const program of [backend.redis, backend.database, backend.manager]) {
      await program.end('SIGKILL');
      assert.ok(await share(), `without ${program.name} the origin was asked again`);
      await program.start();
      assert.ok(await share(), `with ${program.name} back the origin was asked again`);
    }
    await scheduler.end('SIGKILL');
    assert.ok(!(await share()), 'something was shared without a scheduler');
    await scheduler.start();
    await until('sharing to begin again', share, REJOIN_TIMEOUT_MS);
  });
});
