import assert from 'node:assert/strict';
import { HOST_MEMORY_MS, MAX_REMEMBERED_HOSTS, RememberedHosts } from '../../../src/peer/download/remembered-hosts.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('remembered hosts', () => {
  it('are known until they are taken off, or for a while', () => {
    const clock = new ManualClock();
    const hosts = new RememberedHosts(clock);
    for (const id of ['a', 'b']) hosts.add(id);
    hosts.remove('a');
    assert.deepEqual(['a', 'b'].map((id) => hosts.has(id)), [false, true]); // prettier-ignore
    clock.advance(HOST_MEMORY_MS);
    assert.ok(!hosts.has('b'));
  });

  it('are a bounded number', () => {
    const hosts = new RememberedHosts(new ManualClock());
    for (let number = 0; number <= MAX_REMEMBERED_HOSTS; number++) hosts.add(String(number));
    assert.ok(!hosts.has('0'));
    assert.ok(hosts.has('1'));
  });
});
