import assert from 'node:assert/strict';
import { Cluster } from './support/cluster.js';
import { ManagedBackend } from './support/managed-backend.js';
import { requireCommands, requirePrograms } from './support/programs.js';
import { untilSeedIsTriggered } from './support/seed.js';

const CONTENT_BYTES = 20_000_000;

/** What one scheduler answered to a job, as far as it is looked at here. */
interface JobResult {
  job_states: { results: Partial<Record<'success_tasks' | 'failure_tasks' | 'peers', Named[] | null>>[] }[];
}

interface Named {
  hostname: string;
  IsFinished?: boolean;
}

function namesOf(result: unknown, list: 'success_tasks' | 'failure_tasks' | 'peers'): string[] {
  const { job_states } = result as JobResult;
  return job_states
    .flatMap(({ results }) => results)
    .flatMap((each) => each[list] ?? [])
    .map(({ hostname, IsFinished }) => (IsFinished === false ? `${hostname}, unfinished` : hostname))
    .sort();
}

describe('jobs of Dragonfly’s manager', function () {
  this.timeout(240_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'manager', 'dfdaemon', 'dfget');
    requireCommands(this, 'redis-server', 'mariadbd', 'mariadb-install-db', 'mariadb');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  it('preheat a dfpeer seed, find the task at dfpeers, and delete it there', async () => {
    const backend = await ManagedBackend.start(cluster);
    await cluster.startScheduler(backend.host, backend.schedulerConfig);
    await backend.untilSchedulerIsActive();
    const manager = { addr: backend.managerAddress };
    const seed = await cluster.startPeer('dfpeer', 'seed', {
      // The request comes from the network, and the origin is in a private one.
      config: { manager, seedPeer: { enable: true }, download: { originAllowList: [cluster.network.cidr] } },
    });
    const ours = await cluster.startPeer('dfpeer', 'ours', { config: { manager } });
    const theirs = await cluster.startPeer('dragonfly', 'theirs', { config: { manager } });
    await untilSeedIsTriggered(cluster, seed, ours);
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const url = origin.url();
    const api = await backend.signIn();

    const preheat = await api.runJob('preheat', { type: 'file', url, scope: 'all_seed_peers' });
    assert.equal(preheat.state, 'SUCCESS', JSON.stringify(preheat));
    assert.deepEqual(namesOf(preheat.result, 'success_tasks'), ['seed']);
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the seed does not have it');
    for (const peer of [ours, theirs]) {
      const before = await peer.traffic();
      await cluster.download(peer);
      assert.equal((await peer.traffic()).fromPeers - before.fromPeers, CONTENT_BYTES, peer.name);
    }
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');

    const found = await api.runJob('get_task', { url });
    assert.deepEqual(namesOf(found.result, 'peers'), ['ours', 'seed', 'theirs'], JSON.stringify(found));

    const deleted = await api.runJob('delete_task', { url });
    assert.deepEqual(namesOf(deleted.result, 'success_tasks'), ['ours', 'seed', 'theirs'], JSON.stringify(deleted));
    assert.deepEqual(namesOf(deleted.result, 'failure_tasks'), []);
    await cluster.download(ours);
    assert.ok(origin.contentBytes > CONTENT_BYTES, 'it was not deleted');
  });
});
