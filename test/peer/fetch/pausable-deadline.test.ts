import assert from 'node:assert/strict';
import { PausableDeadline } from '../../../src/peer/fetch/pausable-deadline.js';
import { ManualClock } from '../../support/manual-clock.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';

describe('a pausable deadline', () => {
  let clock: VirtualClock;
  let expiredAtMs: number | undefined;

  beforeEach(() => {
    clock = new VirtualClock();
    expiredAtMs = undefined;
  });

  const create = (timeoutMs: number): PausableDeadline =>
    new PausableDeadline(clock, timeoutMs, () => (expiredAtMs = clock.monotonicMs()));
  const runTo = async (ms: number): Promise<void> => {
    let isTime = false;
    clock.script(ms - clock.monotonicMs(), () => (isTime = true));
    await clock.runUntil(() => isTime, ms);
  };

  it('stands still while paused, however often', async () => {
    const deadline = create(1000);
    await runTo(400);
    deadline.pause();
    deadline.pause();
    await runTo(5000);
    deadline.resume();
    await runTo(9000);
    assert.equal(expiredAtMs, undefined);
    deadline.resume();
    await runTo(20_000);
    assert.equal(expiredAtMs, 9600);
  });

  it('gives the full time again, also when told so in a pause', async () => {
    const deadline = create(1000);
    await runTo(900);
    deadline.pause();
    deadline.restart();
    deadline.resume();
    await runTo(1800);
    deadline.restart();
    await runTo(5000);
    assert.equal(expiredAtMs, 2800);
  });

  it('counts no more of a time in which the process was stopped than that between two looks', () => {
    const stopped = new ManualClock();
    let isExpired = false;
    const create = (): PausableDeadline => new PausableDeadline(stopped, 8000, () => (isExpired = true));
    create();
    stopped.holdUp(3_600_000);
    stopped.advance(6999);
    assert.ok(!isExpired);
    stopped.advance(1);
    assert.ok(isExpired);

    isExpired = false;
    const deadline = create();
    stopped.after(400, () => deadline.pause());
    stopped.holdUp(3_600_000);
    deadline.resume();
    stopped.advance(6999);
    assert.ok(!isExpired, 'nor when it is paused right afterwards');
    stopped.advance(1);
    assert.ok(isExpired);
  });

  it('leaves no timer behind once cancelled', async () => {
    const deadline = create(1000);
    deadline.cancel();
    deadline.pause();
    deadline.resume();
    assert.equal(clock.pendingCount, 0);
  });
});
