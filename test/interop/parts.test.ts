import assert from 'node:assert/strict';
import { join } from 'node:path';
import { MIN_PIECE_LENGTH } from '../../src/core/piece.js';
import { Cluster } from './support/cluster.js';
import type { Maker, Peer } from './support/peer.js';
import { requirePrograms } from './support/programs.js';

const CONTENT_BYTES = 50_000_003;
/** The third piece to the eighth. */
const [FIRST_BYTE, LAST_BYTE, RANGE_PIECES] = [10_000_000, 29_999_999, 6];

async function downloadRange(cluster: Cluster, peer: Peer): Promise<void> {
  const range = `${FIRST_BYTE}-${LAST_BYTE}`;
  const flags = peer.maker === 'dfpeer' ? ['--range', range] : ['--header', `Range: bytes=${range}`];
  const output = join(cluster.directory, 'range');
  const result = await peer.dfget(peer.maker, '--output', output, '--no-progress', ...flags, cluster.origin.url());
  assert.equal(result.code, 0, result.stderr);
}

describe('parts of a task, with Dragonfly’s scheduler', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let dynconfig: string;

  beforeEach(async function () {
    requirePrograms(this, 'scheduler', 'dfdaemon', 'dfget');
    cluster = await Cluster.create();
    ({ dynconfig } = await cluster.startScheduler());
  });
  afterEach(async () => cluster?.close());

  const startPair = async (parent: Maker, child: Maker): Promise<[Peer, Peer]> => [
    await cluster.startPeer(parent, 'parent', { dynconfig }),
    await cluster.startPeer(child, 'child', { dynconfig }),
  ];

  for (const [parentMaker, childMaker] of [
    ['dfpeer', 'dragonfly'],
    ['dragonfly', 'dfpeer'],
    ['dfpeer', 'dfpeer'],
  ] as const) {
    it(`a ${childMaker} child takes all pieces of a range from the ${parentMaker} parent that has no others`, async () => {
      const origin = await cluster.startOrigin(CONTENT_BYTES);
      const [parent, child] = await startPair(parentMaker, childMaker);
      await downloadRange(cluster, parent);
      await cluster.download(child);
      const { fromPeers, fromOrigin } = await child.traffic();
      assert.equal(fromPeers, RANGE_PIECES * MIN_PIECE_LENGTH);
      assert.equal(fromOrigin, CONTENT_BYTES - fromPeers);
      assert.equal(origin.contentBytes, CONTENT_BYTES, 'the origin was asked for something again');
    });
  }

  for (const [parentMaker, childMaker] of [
    ['dfpeer', 'dragonfly'],
    ['dragonfly', 'dfpeer'],
  ] as const) {
    it(`a ${childMaker} child takes contents around the length of a piece from a ${parentMaker} parent`, async () => {
      const [parent, child] = await startPair(parentMaker, childMaker);
      for (const bytes of [1, 0, -1].map((more) => 2 * MIN_PIECE_LENGTH + more).concat(MIN_PIECE_LENGTH + 1)) {
        await cluster.startOrigin(bytes);
        for (const flags of [[], ['--piece-length', '4mib'], ['--piece-length', '8mib']]) {
          const before = await child.traffic();
          await cluster.download(parent, { flags });
          await cluster.download(child, { flags });
          const { fromPeers } = await child.traffic();
          assert.equal(fromPeers - before.fromPeers, bytes, `${bytes} bytes ${flags.join(' ')}`);
        }
      }
    });
  }
});
