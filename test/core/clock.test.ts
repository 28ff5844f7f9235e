import assert from 'node:assert/strict';
import { atMostEvery, every } from '../../src/core/clock.js';
import { ManualClock } from '../support/manual-clock.js';

describe('every', () => {
  it('calls back each interval until it is cancelled, also by what it calls', () => {
    const clock = new ManualClock();
    let calls = 0;
    const cancel = every(clock, 100, () => {
      if (++calls === 3) cancel();
    });
    clock.advance(99);
    assert.equal(calls, 0);
    clock.advance(101);
    assert.equal(calls, 2);
    clock.advance(1000);
    assert.deepEqual([calls, clock.pendingTimers], [3, 0]);
  });
});

describe('at most every', () => {
  it('passes on the first call, and none within the interval after one that it passed on', () => {
    const clock = new ManualClock();
    const passed: string[] = [];
    const pass = atMostEvery(clock, 100, (text: string) => void passed.push(text));
    pass('first');
    clock.advance(99);
    pass('too early');
    clock.advance(1);
    pass('in time');
    pass('too early again');
    assert.deepEqual(passed, ['first', 'in time']);
  });
});
