import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ProcessResult } from '../support/daemon-process.js';
import { Cluster } from './support/cluster.js';
import { ManagedBackend } from './support/managed-backend.js';
import type { Peer } from './support/peer.js';
import { requireCommands, requirePrograms } from './support/programs.js';

describe('the block list of a cluster', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'manager', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  async function get(peer: Peer, tag: string, path?: string): Promise<ProcessResult> {
    const output = join(cluster.directory, `${peer.name}-${tag}`);
    return peer.dfget('dragonfly', '--output', output, '--overwrite', '--tag', tag, cluster.origin.url(path));
  }

  it('at a manager is kept to by the daemons of both makers, and that of seeds by a dfpeer seed', async function () {
    requireCommands(this, 'redis-server', 'mariadbd', 'mariadb-install-db', 'mariadb');
    const backend = await ManagedBackend.start(cluster);
    await cluster.startScheduler(backend.host, backend.schedulerConfig);
    await backend.untilSchedulerIsActive();
    // Before the first peer asks: the manager answers from a cache for a while.
    const api = await backend.signIn();
    await api.blockDownloads({ tags: ['blocked'], urls: ['.*/secret/.*'] }, { tags: ['not-for-seeds'] });
    await cluster.startOrigin(100_000);
    const manager = { addr: backend.managerAddress };
    const theirs = await cluster.startPeer('dragonfly', 'theirs', { config: { manager } });
    const ours = await cluster.startPeer('dfpeer', 'ours', { config: { manager } });
    const seed = await cluster.startPeer('dfpeer', 'seed', { config: { manager, seedPeer: { enable: true } } });

    for (const peer of [theirs, ours])
      for (const [tag, path] of [['blocked'], ['free', '/secret/file']] as const) {
        const refused = await get(peer, tag, path);
        assert.equal(refused.code, 1, `${peer.name} takes tag ${tag}, path ${path}`);
        assert.match(refused.stdout + refused.stderr, /block ?list/, peer.name);
      }
    assert.equal((await get(seed, 'not-for-seeds')).code, 1, 'the seed takes what is not for seeds');
    for (const peer of [theirs, ours, seed]) assert.equal((await get(peer, 'free')).code, 0, peer.name);
    assert.equal((await get(seed, 'blocked')).code, 0, 'the list of the peers is not for seeds');
  });

  it('in a dynconfig file is kept to by the daemons of both makers', async () => {
    const { dynconfig } = await cluster.startScheduler();
    const clientConfig = { blockList: { task: { download: { tags: ['blocked'] } } } };
    await appendFile(dynconfig, stringify({ clientConfig }));
    await cluster.startOrigin(100_000);
    for (const maker of ['dragonfly', 'dfpeer'] as const) {
      const peer = await cluster.startPeer(maker, maker, { dynconfig });
      assert.equal((await get(peer, 'blocked')).code, 1, `${maker} takes what is blocked`);
      assert.equal((await get(peer, 'free')).code, 0, maker);
    }
  });
});
