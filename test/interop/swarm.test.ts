import assert from 'node:assert/strict';
import { Cluster } from './support/cluster.js';
import type { Maker } from './support/peer.js';
import { requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 100_000_000;
const PEERS_OF_EACH_MAKER = 4;

describe('a swarm of both makers’ daemons', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  it('gets one file everywhere while the origin serves it once', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig } = await cluster.startScheduler();
    const makers = Array.from({ length: PEERS_OF_EACH_MAKER }, (_, n): [Maker, string][] => [
      ['dfpeer', `dfpeer-${n}`],
      ['dragonfly', `dragonfly-${n}`],
    ]).flat();
    const peers = await Promise.all(makers.map(([maker, name]) => cluster.startPeer(maker, name, { dynconfig })));
    const [first, ...others] = peers;
    assert.ok(first !== undefined);
    const firstDownload = cluster.download(first);
    await first.untilDownloading();
    await Promise.all([firstDownload, ...others.map((peer) => cluster.download(peer))]);
    const traffic = await Promise.all(peers.map((peer) => peer.traffic()));
    const sum = (of: 'fromOrigin' | 'fromPeers' | 'uploaded'): number =>
      traffic.reduce((total, each) => total + each[of], 0);
    console.log(`      ${peers.map(({ name }, n) => `${name} ${JSON.stringify(traffic[n])}`).join('\n      ')}`);
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin served more than the file');
    assert.equal(sum('fromOrigin'), CONTENT_BYTES);
    assert.equal(sum('fromPeers'), CONTENT_BYTES * (peers.length - 1));
    const uploadedByUs = peers.filter(({ maker }) => maker === 'dfpeer').map((peer) => peer.traffic());
    assert.ok((await Promise.all(uploadedByUs)).some(({ uploaded }) => uploaded > 0));
  });
});
