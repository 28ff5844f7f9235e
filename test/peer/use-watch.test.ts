import assert from 'node:assert/strict';
import { UseWatch } from '../../src/peer/use-watch.js';
import { ManualClock } from '../support/manual-clock.js';

const IDLE_MS = 10_000;

describe('the watch of uses', () => {
  function watch(): { clock: ManualClock; uses: UseWatch; idleCalls: () => number } {
    const clock = new ManualClock();
    const uses = new UseWatch(clock);
    let calls = 0;
    uses.whenIdle(IDLE_MS, () => calls++);
    return { clock, uses, idleCalls: () => calls };
  }

  it('calls back once when there was never a use', () => {
    const { clock, idleCalls } = watch();
    clock.advance(IDLE_MS - 1);
    assert.equal(idleCalls(), 0);
    clock.advance(1);
    assert.equal(idleCalls(), 1);
    clock.advance(5 * IDLE_MS);
    assert.equal(idleCalls(), 1);
    assert.equal(clock.pendingTimers, 0);
  });

  it('counts uses that are over at once, whenever they come', () => {
    const { clock, uses, idleCalls } = watch();
    for (let i = 0; i < 100; i++) {
      clock.advance(1300);
      uses.begin()();
    }
    clock.advance(IDLE_MS - 1);
    assert.equal(idleCalls(), 0);
    clock.advance(1);
    assert.equal(idleCalls(), 1);
  });

  it('waits for a use that takes long, and for all that run at once', () => {
    const { clock, uses, idleCalls } = watch();
    const [endFirst, endSecond] = [uses.begin(), uses.begin()];
    clock.advance(3 * IDLE_MS);
    endFirst();
    endFirst();
    assert.equal(uses.isInUse, true);
    clock.advance(3 * IDLE_MS + 1);
    assert.equal(idleCalls(), 0);
    endSecond();
    assert.equal(uses.isInUse, false);
    clock.advance(IDLE_MS - 1);
    assert.equal(idleCalls(), 0);
    clock.advance(1);
    assert.equal(idleCalls(), 1);
  });

  it('never calls back once stopped', () => {
    const { clock, uses, idleCalls } = watch();
    uses.stop();
    clock.advance(5 * IDLE_MS);
    assert.equal(idleCalls(), 0);
  });
});
