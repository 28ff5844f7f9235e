import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DeadlineError, DfpeerError } from '../../src/core/errors.js';
import { LIFE_PATIENCE_MS, Liveness } from '../../src/scheduler-client/liveness.js';
import { ManualClock } from '../support/manual-clock.js';

describe('the liveness of a scheduler', () => {
  let clock: ManualClock;
  let probes: { answer: () => void; fail: (error: Error) => void }[];
  let silences: number;
  let liveness: Liveness;

  beforeEach(() => {
    clock = new ManualClock();
    probes = [];
    silences = 0;
    liveness = new Liveness({
      probe: () => new Promise((answer, fail) => probes.push({ answer, fail })),
      onSilent: () => silences++,
      clock,
    });
  });

  it('shows in the answer to one probe, however many ask', async () => {
    const signs = [liveness.expect(), liveness.expect()];
    assert.equal(probes.length, 1);
    probes[0]?.answer();
    await Promise.all(signs.map(({ seen }) => seen));
    liveness.expect();
    assert.equal(probes.length, 2);
  });

  it('shows in a refusal as well', async () => {
    const { seen } = liveness.expect();
    probes[0]?.fail(new DfpeerError('DFP_SCHEDULER_REFUSED', 'not serving'));
    await seen;
    assert.equal(silences, 0);
  });

  it('is doubted at once after a silence, until it shows again', async () => {
    assert.equal(liveness.expect().patienceMs, LIFE_PATIENCE_MS);
    probes[0]?.fail(new DeadlineError('the scheduler', 5000));
    await nextTurn();
    assert.equal(silences, 1);
    const { patienceMs, seen } = liveness.expect();
    assert.equal(patienceMs, 0);
    probes[1]?.answer();
    await seen;
    assert.equal(liveness.expect().patienceMs, LIFE_PATIENCE_MS);
  });

  it('is doubted at once while an earlier probe waits for its answer', () => {
    liveness.expect();
    clock.advance(2 * LIFE_PATIENCE_MS + 1);
    assert.equal(liveness.expect().patienceMs, 0);
    assert.equal(probes.length, 1);
  });

  it('is given more time where a sign takes longer', async () => {
    const { seen } = liveness.expect();
    clock.advance(LIFE_PATIENCE_MS);
    probes[0]?.answer();
    await seen;
    assert.equal(liveness.expect().patienceMs, 4 * LIFE_PATIENCE_MS);
  });
});
