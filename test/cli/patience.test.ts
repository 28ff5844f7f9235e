import assert from 'node:assert/strict';
import { Patience, SHUTDOWN_WAIT_MS } from '../../src/cli/patience.js';
import { DfpeerError } from '../../src/core/errors.js';
import { ManualClock } from '../support/manual-clock.js';

describe('the patience of dfget with a daemon', () => {
  const refusal = new DfpeerError('DFP_SHUTTING_DOWN', 'no');

  function patience(timeoutMs: number): { clock: ManualClock; it: Patience } {
    const clock = new ManualClock();
    return { clock, it: new Patience(timeoutMs, () => clock.monotonicMs()) };
  }

  it('is the timeout, from when the daemon was asked first', () => {
    const { clock, it } = patience(60_000);
    clock.advance(20_000);
    assert.equal(it.leftMs, 60_000);
    it.begin();
    clock.advance(10_000);
    it.begin();
    assert.equal(it.leftMs, 50_000);
    assert.equal(it.forShutdown(refusal), 50_000);
    clock.advance(90_000);
    assert.equal(it.leftMs, 1);
    assert.throws(() => it.forShutdown(refusal), refusal);
  });

  it('is told in whole milliseconds', () => {
    const { clock, it } = patience(2000);
    it.begin();
    clock.advance(0.125);
    assert.equal(it.leftMs, 2000);
  });

  it('with its end has a bound of its own, over all refusals', () => {
    const { clock, it } = patience(10 * SHUTDOWN_WAIT_MS);
    it.begin();
    assert.equal(it.forShutdown(refusal), SHUTDOWN_WAIT_MS);
    clock.advance(SHUTDOWN_WAIT_MS - 5000);
    assert.equal(it.forShutdown(refusal), 5000);
    clock.advance(5000);
    assert.throws(() => it.forShutdown(refusal), refusal);
  });
});
