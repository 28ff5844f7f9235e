import assert from 'node:assert/strict';
import { Cluster } from './support/cluster.js';
import { requirePrograms } from './support/programs.js';

/** Within `download.smallTaskSize`: not announced by Dragonfly's daemon, and asked of the origin without a scheduler. */
const CONTENT_BYTES = 3_000_000;

describe('a small task, with Dragonfly’s scheduler', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
  });
  afterEach(async () => cluster?.close());

  it('is found at the dfpeer that has just downloaded it by whoever asks the scheduler', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig } = await cluster.startScheduler();
    const [first, second] = await Promise.all([
      cluster.startPeer('dfpeer', 'first', { dynconfig }),
      cluster.startPeer('dfpeer', 'second', { dynconfig }),
    ]);
    await cluster.download(first);
    await cluster.download(second, { flags: ['--disable-back-to-source'] });
    assert.deepEqual(await second.traffic(), { fromOrigin: 0, fromPeers: CONTENT_BYTES, uploaded: 0 });
    assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for content again');
  });

  it('comes straight from the origin to a Dragonfly daemon and, by default, to a dfpeer', async () => {
    const origin = await cluster.startOrigin(CONTENT_BYTES);
    const { dynconfig } = await cluster.startScheduler();
    const [first, ...others] = await Promise.all([
      cluster.startPeer('dfpeer', 'first', { dynconfig }),
      cluster.startPeer('dfpeer', 'second', { dynconfig }),
      cluster.startPeer('dragonfly', 'third', { dynconfig }),
    ]);
    await cluster.download(first);
    for (const peer of others) await cluster.download(peer);
    assert.equal(origin.contentBytes, (1 + others.length) * CONTENT_BYTES);
  });
});
