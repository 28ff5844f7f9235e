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
});
