import assert from 'node:assert/strict';
import type { Clock } from '../../src/core/clock.js';
import { sleep, withDeadline } from '../../src/core/deadline.js';
import { AbortedError, DeadlineError, DfpeerError } from '../../src/core/errors.js';
import { Wakeup } from '../../src/core/wakeup.js';

/** Fires timers only when told to. */
function manualClock(): Clock & { fire(): void; readonly waiting: number } {
  const timers = new Set<() => void>();
  return {
    now: () => 0,
    monotonicMs: () => 0,
    after: (_delayMs, callback) => {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
    fire: () => {
      for (const timer of [...timers]) timer();
    },
    get waiting() {
      return timers.size;
    },
  };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('deadline', () => {
  it('passes the result on and leaves no timer', async () => {
    const clock = manualClock();
    assert.equal(await withDeadline({ waitingFor: 'x', timeoutMs: 1, clock }, async () => 7), 7);
    assert.equal(clock.waiting, 0);
  });

  it('names who was waited for, and tells the work to stop', async () => {
    const clock = manualClock();
    let told: AbortSignal | undefined;
    const waiting = withDeadline({ waitingFor: 'scheduler 10.0.0.1:8002', timeoutMs: 5.0000003, clock }, (signal) => {
      told = signal;
      return never();
    });
    clock.fire();
    await assert.rejects(
      waiting,
      (error) =>
        error instanceof DeadlineError &&
        error.message === 'no answer within 5 ms while waiting for scheduler 10.0.0.1:8002' &&
        error.code === 'DFP_DEADLINE',
    );
    assert.equal(told?.aborted, true);
  });

  it("ends with the caller's reason when the caller stops first", async () => {
    const clock = manualClock();
    const controller = new AbortController();
    const waiting = withDeadline({ waitingFor: 'x', timeoutMs: 5, clock, signal: controller.signal }, never);
    controller.abort(new DfpeerError('DFP_SHUTTING_DOWN', 'bye'));
    await assert.rejects(waiting, /bye/);
    assert.equal(clock.waiting, 0);
    await assert.rejects(
      withDeadline({ waitingFor: 'x', timeoutMs: 5, clock, signal: controller.signal }, never),
      /bye/,
    );
  });

  it('lets a pause be cut short', async () => {
    const clock = manualClock();
    const controller = new AbortController();
    const pause = sleep(1000, controller.signal, clock);
    controller.abort();
    await assert.rejects(pause, AbortedError);
    assert.equal(clock.waiting, 0);
  });
});

describe('wakeup', () => {
  it('keeps a notify that comes before the wait, and only one', async () => {
    const wakeup = new Wakeup();
    wakeup.notify();
    wakeup.notify();
    await wakeup.wait();
    let woken = false;
    const waiting = wakeup.wait().then(() => (woken = true));
    await Promise.resolve();
    assert.equal(woken, false);
    wakeup.notify();
    await waiting;
  });
});
