import assert from 'node:assert/strict';
import { KeyedLimiters } from '../../src/bandwidth/keyed-limiters.js';

describe('limiters by key', () => {
  it('are kept per key only while somebody uses them', () => {
    const limiters = new KeyedLimiters(1024 * 1024);
    const first = limiters.acquire('10.0.0.1');
    assert.equal(limiters.acquire('10.0.0.1'), first);
    limiters.release('10.0.0.1');
    assert.equal(limiters.size, 1);
    limiters.release('10.0.0.1');
    assert.equal(limiters.size, 0);
  });

  it('have the limit in force from the start, and each new one, for keys in use and for those to come', () => {
    const limiters = new KeyedLimiters(1000);
    const first = limiters.acquire('10.0.0.1');
    assert.equal(first.limitBytesPerSecond, 1000);
    limiters.setLimit(500);
    assert.deepEqual(
      [first, limiters.acquire('10.0.0.2')].map((limiter) => limiter.limitBytesPerSecond),
      [500, 500],
    );
    limiters.setLimit(undefined);
    assert.equal(limiters.acquire('10.0.0.3').limitBytesPerSecond, undefined);
    for (const key of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) limiters.release(key);
  });
});
