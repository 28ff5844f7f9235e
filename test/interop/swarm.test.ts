import assert from 'node:assert/strict';
import { Cluster } from './support/cluster.js';
import type { Maker, Peer, Traffic } from './support/peer.js';
import { requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 100_000_000;
const PEERS_OF_EACH_MAKER = 4;
/** Of a file that eight peers ask for at once: some of them wait in vain for the scheduler to name a parent. */
const MAX_ORIGIN_SHARE = 1.3;

describe('a swarm of both makers’ daemons', function () {
  this.timeout(180_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  async function startPeers(): Promise<Peer[]> {
    const { dynconfig } = await cluster.startScheduler();
    const makers = Array.from({ length: PEERS_OF_EACH_MAKER }, (_, n): [Maker, string][] => [
      ['dfpeer', `dfpeer-${n}`],
      ['dragonfly', `dragonfly-${n}`],
    ]).flat();
    return Promise.all(makers.map(([maker, name]) => cluster.startPeer(maker, name, { dynconfig })));
  }

  async function trafficOf(peers: readonly Peer[]): Promise<Traffic[]> {
    const traffic = await Promise.all(peers.map((peer) => peer.traffic()));
    console.log(`      ${peers.map(({ name }, n) => `${name} ${JSON.stringify(traffic[n])}`).join('\n      ')}`);
    return traffic;
  }

  it('gets one file everywhere while the origin serves it once', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const peers = await startPeers();
    const [first, ...others] = peers;
    assert.ok(first !== undefined);
    const firstDownload = cluster.download(first);
    await first.untilDownloading();
    await Promise.all([firstDownload, ...others.map((peer) => cluster.download(peer))]);
    const traffic = await trafficOf(peers);
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin served more than the file');
    assert.equal(sum(traffic, 'fromOrigin'), CONTENT_BYTES);
    assert.equal(sum(traffic, 'fromPeers'), CONTENT_BYTES * (peers.length - 1));
    const ours = traffic.filter((_, n) => peers[n]?.maker === 'dfpeer');
    assert.ok(sum(ours, 'uploaded') > 0);
  });

  it('gets one file everywhere when all ask for it at the same moment', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const peers = await startPeers();
    // Calls, not programs: those of one maker start faster than those of the other.
    await Promise.all(peers.map((peer) => cluster.downloadByCall(peer)));
    const traffic = await trafficOf(peers);
    const served = origin.contentBytes / CONTENT_BYTES;
    console.log(`      the origin served the file ${served.toFixed(2)} times`);
    assert.ok(served <= MAX_ORIGIN_SHARE, `the origin served the file ${served} times`);
    const fromOrigin = sum(traffic, 'fromOrigin');
    assert.equal(fromOrigin, origin.contentBytes);
    assert.equal(fromOrigin + sum(traffic, 'fromPeers'), CONTENT_BYTES * peers.length);
  });
});

function sum(traffic: readonly Traffic[], of: keyof Traffic): number {
  return traffic.reduce((total, each) => total + each[of], 0);
}
