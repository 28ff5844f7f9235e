import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RecentTimes } from '../../../src/peer/swarm/recent-times.js';

describe('recent times', () => {
  it('have no quantile as long as there are none', () => {
    assert.equal(new RecentTimes().quantile(0.5), undefined);
  });

  it('have the quantiles of the last 32', () => {
    const times = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 100, size: 'max' });
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(times, share, (timesMs, share) => {
        const recent = new RecentTimes();
        for (const ms of timesMs) recent.add(ms);
        const ascending = timesMs.slice(-32).sort((a, b) => a - b);
        assert.equal(recent.quantile(share), ascending[Math.floor(ascending.length * share)]);
      }),
    );
  });
});
