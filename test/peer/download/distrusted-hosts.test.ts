import assert from 'node:assert/strict';
import {
  DISTRUST_MS,
  DistrustedHosts,
  MAX_DISTRUSTED_HOSTS,
  MAX_STRIKES,
} from '../../../src/peer/download/distrusted-hosts.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('distrusted hosts', () => {
  it('are those that struck often, for a while', () => {
    const clock = new ManualClock();
    const hosts = new DistrustedHosts(clock);
    for (let strike = 1; strike < MAX_STRIKES; strike++) hosts.strike('liar');
    assert.equal(hosts.has('liar'), false, 'one bad piece may be a bad disk');
    hosts.strike('liar');
    assert.equal(hosts.has('liar'), true);
    assert.equal(hosts.has('honest'), false);
    clock.advance(DISTRUST_MS);
    assert.equal(hosts.has('liar'), false);
    hosts.strike('liar');
    assert.equal(hosts.has('liar'), false, 'it starts anew');
  });

  it('are remembered up to a bound', () => {
    const hosts = new DistrustedHosts(new ManualClock());
    for (let strike = 0; strike < MAX_STRIKES; strike++) hosts.strike('first');
    for (let host = 0; host < MAX_DISTRUSTED_HOSTS; host++) hosts.strike(`host-${host}`);
    assert.equal(hosts.has('first'), false);
  });
});
