import assert from 'node:assert/strict';
import { MAX_SILENT_HOSTS, SILENCE_MEMORY_MS, SilentHosts } from '../../../src/peer/download/silent-hosts.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('silent hosts', () => {
  it('are remembered until they show life, or for a while', () => {
    const clock = new ManualClock();
    const hosts = new SilentHosts(clock);
    for (const id of ['a', 'b']) hosts.add(id);
    hosts.remove('a');
    assert.deepEqual(['a', 'b'].map((id) => hosts.has(id)), [false, true]); // prettier-ignore
    clock.advance(SILENCE_MEMORY_MS);
    assert.ok(!hosts.has('b'));
  });

  it('are remembered in a bounded number', () => {
    const hosts = new SilentHosts(new ManualClock());
    for (let number = 0; number <= MAX_SILENT_HOSTS; number++) hosts.add(String(number));
    assert.ok(!hosts.has('0'));
    assert.ok(hosts.has('1'));
  });
});
