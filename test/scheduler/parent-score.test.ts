import assert from 'node:assert/strict';
import { scoreParent } from '../../src/scheduler/parent-score.js';
import type { HostAnnouncement, PeerRegistration, SchedulerPeer } from '../../src/scheduler/model.js';
import { setParents } from '../../src/scheduler/peer-edges.js';
import { PIECE_LENGTH, TestCluster } from './cluster-fixture.js';

const GBIT = 1e9;
const WHOLE_LINE = { maxTxBitsPerSecond: 8 * PIECE_LENGTH };

/** The scores of complete parents on such hosts, for a child on such a host. */
function scores(child: Partial<HostAnnouncement>, ...parents: Partial<HostAnnouncement>[]): number[] {
  const cluster = new TestCluster();
  const peer = cluster.join('child', {}, child);
  return parents.map((host, index) => scoreParent(cluster.complete(`parent${index}`, {}, host), peer, 0));
}

/** The score of a parent on such a host that feeds such children, for another one. */
function scoreOfBusy(host: Partial<HostAnnouncement>, children: Partial<PeerRegistration>[], most = 2): number {
  const cluster = new TestCluster();
  const parent = cluster.complete('parent', {}, host);
  children.forEach((changes, index) => setParents(cluster.join(`fed${index}`, changes), [parent]));
  return scoreParent(parent, cluster.join('child'), most);
}

function assertDescending(values: readonly number[]): void {
  for (const [index, value] of values.entries())
    assert.ok(index === 0 || value < (values[index - 1] ?? 0) - 1e-9, `not falling: ${values.join(' ')}`);
}

function assertEqual(values: readonly number[]): void {
  for (const value of values) assert.ok(Math.abs(value - (values[0] ?? 0)) < 1e-9, `not equal: ${values.join(' ')}`);
}

describe('the score of a parent', () => {
  it('is 1.1 for a complete one that is idle and in the same place, 1.15 for a seed', () => {
    const place = { idc: 'a', location: 'eu|ch' };
    const [peer, seed] = scores(place, place, { ...place, type: 1 });
    // 0.6 load + 0.2 idc + 0.1 location + 0.1 type, half of that for who is no seed, and 0.15 for having everything.
    assert.ok(Math.abs((peer ?? 0) - 1.1) < 1e-9, String(peer));
    assert.ok(Math.abs((seed ?? 0) - 1.15) < 1e-9, String(seed));
  });

  it('rises by a fiftieth with each level of the location that agrees from the first on, to a tenth for the same one', () => {
    const places = ['EU|CH|zh|a', 'eu|ch|zh|b', 'eu|ch|be|a', 'eu', 'us|ch|zh|a'];
    const values = scores({ location: 'Eu|ch|zh|A' }, ...places.map((location) => ({ location })));
    const [same = 0, ...others] = values;
    assert.deepEqual(
      others.map((value) => Math.round((same - value) * 1000)),
      [40, 60, 80, 100],
    );
    const [deep = 0, deeper = 0] = scores(
      { location: 'a|b|c|d|e|f|g' },
      { location: 'a|b|c|d|e' },
      { location: 'a|b|c|d|e|f' },
    );
    assertEqual([deep, deeper]);
  });

  it('knows no affinity to a host that does not tell where it is', () => {
    assertEqual(scores({ location: 'eu|ch', idc: 'a' }, {}, { location: 'us', idc: 'b' }));
    assertEqual(scores({}, {}, { location: 'eu|ch', idc: 'a' }));
  });

  it('compares data centres without regard to case', () => {
    assertEqual([
      ...scores({ idc: 'Zurich' }, { idc: 'Zurich' }, { idc: 'zurich' }),
      ...scores({ idc: 'zurich' }, { idc: 'ZURICH' }),
    ]);
  });

  it('falls with what its children may ask of its line, and takes 8 pieces of 4 MiB for those that do not tell', () => {
    const line = { maxTxBitsPerSecond: GBIT };
    const untold = { content: { contentLength: undefined, pieceLength: undefined, pieceCount: undefined } };
    assertDescending([
      scoreOfBusy(line, [{ concurrentPieceCount: 4 }]),
      scoreOfBusy(line, [{ concurrentPieceCount: 8 }]),
      scoreOfBusy({ maxTxBitsPerSecond: GBIT / 2 }, [{ concurrentPieceCount: 8 }]),
    ]);
    assertEqual([
      scoreOfBusy(line, [{ concurrentPieceCount: 8 }]),
      scoreOfBusy(line, [{ concurrentPieceCount: undefined }]),
      scoreOfBusy(line, [{ ...untold, concurrentPieceCount: 8 }]),
    ]);
    const long = { contentLength: 10 * PIECE_LENGTH, pieceLength: 2 * PIECE_LENGTH, pieceCount: 5 };
    assertEqual([
      scoreOfBusy(line, [{ concurrentPieceCount: 8 }]),
      scoreOfBusy(line, [{ content: long, concurrentPieceCount: 4 }]),
    ]);
    assertEqual([scoreOfBusy(WHOLE_LINE, [{ concurrentPieceCount: 1 }]), scoreOfBusy(WHOLE_LINE, [{}])]);
    const half = scoreOfBusy({ maxTxBitsPerSecond: 16 * PIECE_LENGTH }, [{ concurrentPieceCount: 1 }]);
    assert.ok(Math.abs(half - scoreOfBusy(WHOLE_LINE, [{}]) - 0.6 * 0.5 * 0.5) < 1e-9);
  });

  it('falls with what goes over its line already, and takes 10 Gbit/s for a line whose speed is not told', () => {
    const line = { maxTxBitsPerSecond: GBIT };
    const [idle, half, full, over] = scores(
      {},
      { ...line },
      { ...line, txBitsPerSecond: GBIT / 2 },
      { ...line, txBitsPerSecond: GBIT },
      { ...line, txBitsPerSecond: 2 * GBIT },
    ) as [number, number, number, number];
    assert.ok(Math.abs(idle - half - 0.6 * 0.3 * 0.5) < 1e-9);
    assert.ok(Math.abs(idle - full - 0.6 * 0.3) < 1e-9);
    assertEqual([full, over]);
    const [untold = 0, told = 0] = scores(
      {},
      { maxTxBitsPerSecond: 0, txBitsPerSecond: GBIT },
      { maxTxBitsPerSecond: 10 * GBIT, txBitsPerSecond: GBIT },
    );
    assertEqual([untold, told]);
    const [slowest = 0, wholly = 0] = scores(
      {},
      { maxTxBitsPerSecond: 1, txBitsPerSecond: 1 },
      { ...line, txBitsPerSecond: GBIT },
    );
    assertEqual([slowest, wholly]);
  });

  it('falls with the number of children, also where none of them asks much, as a share of what the busiest has', () => {
    const line = { maxTxBitsPerSecond: 1000 * GBIT };
    const small = { concurrentPieceCount: 0 };
    const [none, one, two] = [[], [small], [small, small]].map((children) => scoreOfBusy(line, children)) as [
      number,
      number,
      number,
    ];
    assert.ok(Math.abs(none - one - 0.6 * 0.2 * 0.5) < 1e-9);
    assert.ok(Math.abs(none - two - 0.6 * 0.2) < 1e-9);
    assertEqual([scoreOfBusy(line, [small], 1), two]);
  });

  it('falls by 0.3 for a parent that has become slow, and by 0.05 for each of the last failures of its host', () => {
    const cluster = new TestCluster();
    const child = cluster.join('child');
    const parent = (host: string, failures: number, slow: boolean): SchedulerPeer => {
      const peer = cluster.complete(host);
      peer.host.failedPieceCount = failures;
      for (const costMs of slow ? [10, 10, 10, 10, 10, 400] : [])
        cluster.core.report(peer, { kind: 'piece-finished', costMs });
      return peer;
    };
    const [good = 0, ...others] = [
      parent('good', 0, false),
      parent('one', 1, false),
      parent('four', 4, false),
      parent('many', 5, false),
      parent('slow', 0, true),
      parent('slow and failing', 1, true),
    ].map((peer) => scoreParent(peer, child, 0));
    assert.deepEqual(
      others.map((value) => Math.round((good - value) * 1000)),
      [50, 200, 200, 300, 350],
    );
  });

  it('is 0.15 better for one that has all of the content', () => {
    const cluster = new TestCluster();
    const child = cluster.join('child');
    const running = cluster.join('running');
    cluster.core.report(running, { kind: 'started' });
    const gain = scoreParent(cluster.complete('complete'), child, 0) - scoreParent(running, child, 0);
    assert.ok(Math.abs(gain - 0.15) < 1e-9);
  });
});
