import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority } from '../scheduler-client/support/certificates.js';
import { Cluster } from './support/cluster.js';
import { ManagedBackend } from './support/managed-backend.js';
import { requireCommands, requirePrograms } from './support/programs.js';
import { untilSeedIsTriggered } from './support/seed.js';

const CONTENT_BYTES = 20_000_000;

describe('mutual TLS with Dragonfly’s manager and scheduler', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'manager');
    requireCommands(this, 'openssl', 'redis-server', 'mariadbd', 'mariadb-install-db', 'mariadb');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  it('takes in dfpeers with certificates, calls a dfpeer seed, and refuses a dfpeer without', async () => {
    const hosts = Array.from({ length: 4 }, () => cluster.network.addHost());
    const [back, seedHost, childHost, strangerHost] = hosts;
    const directory = join(cluster.directory, 'certificates');
    await mkdir(directory);
    const authority = await createAuthority(
      directory,
      hosts.map(({ ip }) => ip),
    );
    const issue = async (name: string): Promise<{ caCert: string; cert: string; key: string }> => ({
      caCert: authority.caCert,
      ...(await authority.issue(name)),
    });
    const [tls, node] = [await issue('cluster'), await issue('node')];
    const backend = await ManagedBackend.start(cluster, tls, back);
    const config = { ...backend.schedulerConfig, server: { tls }, seedPeer: { tls }, peer: { tls } };
    await cluster.startScheduler(backend.host, config);
    await backend.untilSchedulerIsActive();

    const manager = { addr: backend.managerAddress };
    const secured = {
      manager: { ...manager, ...node },
      scheduler: node,
      upload: { server: node, client: node },
      download: { originAllowList: [cluster.network.cidr] },
    };
    const seed = await cluster.startPeer('dfpeer', 'seed', {
      host: seedHost,
      config: { ...secured, seedPeer: { enable: true } },
    });
    const child = await cluster.startPeer('dfpeer', 'child', { host: childHost, config: secured });
    await untilSeedIsTriggered(cluster, seed, child);
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const before = await child.traffic();
    await cluster.download(child);
    assert.equal((await child.traffic()).fromPeers - before.fromPeers, CONTENT_BYTES);
    assert.equal(origin.contentBytes, CONTENT_BYTES);

    const stranger = await cluster.startPeer('dfpeer', 'stranger', { host: strangerHost, config: { manager } });
    await cluster.download(stranger);
    assert.equal((await stranger.traffic()).fromPeers, 0);
  });
});
