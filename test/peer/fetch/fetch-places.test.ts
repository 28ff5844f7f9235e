import assert from 'node:assert/strict';
import { systemClock } from '../../../src/core/clock.js';
import { FetchPlaces } from '../../../src/peer/fetch/fetch-places.js';

describe('places for fetches', () => {
  const signal = new AbortController().signal;
  let timers: (() => void)[];
  let places: FetchPlaces;

  beforeEach(() => {
    timers = [];
    const after = (_delayMs: number, callback: () => void): (() => void) => {
      timers.push(callback);
      return () => void timers.splice(timers.indexOf(callback), 1);
    };
    places = new FetchPlaces({ places: 1, maxWaiting: 2, clock: { ...systemClock, after } });
  });

  it('go to those in line in their order', async () => {
    const order: string[] = [];
    const enter = async (name: string): Promise<void> => {
      const giveBack = await places.take({ signal, timeoutMs: 1000 });
      order.push(name);
      giveBack();
    };
    await Promise.all(['first', 'second', 'third'].map(enter));
    assert.deepEqual(order, ['first', 'second', 'third']);
    assert.deepEqual([places.waiting, timers], [0, []]);
  });

  it('are not lost with those who leave the line', async () => {
    const giveBack = await places.take({ signal, timeoutMs: 1000 });
    const impatient = new AbortController();
    const [leaving, staying] = [impatient.signal, signal].map((each) => places.take({ signal: each, timeoutMs: 1000 }));
    impatient.abort();
    await assert.rejects(leaving ?? assert.fail(), { code: 'DFP_ABORTED' });
    giveBack();
    (await staying)?.();
    assert.equal(typeof (await places.take({ signal, timeoutMs: 1000 })), 'function');
  });

  it('are waited for no longer than the deadline', async () => {
    await places.take({ signal, timeoutMs: 1000 });
    const late = places.take({ signal, timeoutMs: 1000 });
    timers[0]?.();
    await assert.rejects(late, { code: 'DFP_DEADLINE' });
    assert.equal(places.waiting, 0);
  });

  it('are refused when the line is full', async () => {
    await places.take({ signal, timeoutMs: 1000 });
    const waiting = [1, 2].map(() => places.take({ signal, timeoutMs: 1000 }));
    await assert.rejects(places.take({ signal, timeoutMs: 1000 }), { code: 'DFP_LIMIT' });
    places.refuseAll(new Error('closed'));
    await Promise.all(waiting.map((each) => assert.rejects(each, /closed/)));
  });
});
