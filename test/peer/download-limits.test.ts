import assert from 'node:assert/strict';
import { systemClock } from '../../src/core/clock.js';
import { withBudget } from '../../src/peer/download/download-budgets.js';
import { DownloadLimits } from '../../src/peer/download-limits.js';
import { BandwidthLimiter } from '../../src/bandwidth/bandwidth-limiter.js';
import { NO_BUDGETS } from '../support/no-budgets.js';

const GBIT = 125_000_000;
/** Dragonfly's default. */
const DEFAULT = 50e9;

describe('the limits on what comes in', () => {
  const open: { close(): void }[] = [];
  const limitsOf = (download: number | undefined, backToSource: number | undefined): DownloadLimits => {
    const limits = new DownloadLimits(settings(download, backToSource), {
      interfaceBytesPerSecond: GBIT,
      clock: systemClock,
    });
    open.push(limits);
    return limits;
  };

  afterEach(() => open.splice(0).forEach((each) => each.close()));

  for (const [name, download, backToSource, parentPiece, originPiece] of [
    ['without any', undefined, undefined, 0, 0],
    ["above the interface's speed", DEFAULT, DEFAULT, 0, 0],
    ["at the interface's speed", GBIT, GBIT, 0, 0],
    ['of one byte per second less', GBIT - 1, DEFAULT, 1, 1],
    ['on the origin alone', DEFAULT, 1000, 0, 1],
    ['of both kinds', 2000, 1000, 1, 2],
  ] as const)
    it(`${name}: a piece asks only those that bind`, () => {
      const limits = limitsOf(download, backToSource);
      assert.equal(limits.forParentPiece().length, parentPiece);
      assert.equal(limits.forOriginPiece().length, originPiece);
    });

  it('bind the next piece once they are changed, and a stream that has begun', async () => {
    const limits = limitsOf(DEFAULT, DEFAULT);
    const ofStream = limits.forOriginStream();
    assert.equal(ofStream.length, 2);
    for (const budget of ofStream) assert.equal(await budget.take(1e6, new AbortController().signal), 1e6);
    limits.set(settings(5000, 400));
    assert.deepEqual(
      ofStream.map(({ limitBytesPerSecond }) => limitBytesPerSecond),
      [5000, 400],
    );
    assert.deepEqual(limits.forOriginPiece(), ofStream);
    limits.set(settings(DEFAULT, undefined));
    assert.deepEqual(limits.forOriginPiece(), []);
  });

  it("are asked before a download's own, which every byte asks", () => {
    const own = new BandwidthLimiter(10);
    open.push(own);
    const limits = limitsOf(2000, 1000);
    const budgets = withBudget(limits, own);
    assert.deepEqual(budgets.forParentPiece(), [...limits.forParentPiece(), own]);
    assert.deepEqual(budgets.forOriginPiece(), [...limits.forOriginPiece(), own]);
    assert.deepEqual(budgets.forOriginStream(), [...limits.forOriginStream(), own]);
    assert.deepEqual(withBudget(NO_BUDGETS, own).forParentPiece(), [own]);
  });
});

function settings(
  download: number | undefined,
  backToSource: number | undefined,
): ConstructorParameters<typeof DownloadLimits>[0] {
  return { upload: undefined, uploadPerTask: undefined, uploadPerChild: undefined, download, backToSource };
}
