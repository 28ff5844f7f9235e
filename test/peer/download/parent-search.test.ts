import assert from 'node:assert/strict';
import { FIRST_SEARCH_MS, MAX_SEARCHES, ParentSearch } from '../../../src/peer/download/parent-search.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the search for further parents', () => {
  it('asks again ever more seldom, and gives up', () => {
    const clock = new ManualClock();
    const askedAtMs: number[] = [];
    const search = new ParentSearch(clock, () => askedAtMs.push(clock.monotonicMs()));
    const startedAtMs = clock.monotonicMs();
    search.start();
    for (let tick = 0; tick < 2 ** (MAX_SEARCHES + 2); tick++) clock.advance(FIRST_SEARCH_MS);
    assert.deepEqual(
      askedAtMs.map((atMs) => (atMs - startedAtMs) / FIRST_SEARCH_MS),
      [1, 3, 7, 15, 31],
    );
    assert.equal(clock.pendingTimers, 0);
  });

  it('ends when it is stopped, and is not doubled by a second start', () => {
    const clock = new ManualClock();
    let asked = 0;
    const search = new ParentSearch(clock, () => asked++);
    search.start();
    search.start();
    clock.advance(FIRST_SEARCH_MS);
    assert.equal(asked, 1);
    search.stop();
    assert.equal(clock.pendingTimers, 0);
  });
});
