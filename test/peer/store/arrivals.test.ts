import assert from 'node:assert/strict';
import { Arrivals, MAX_BLOCK_MS, type Arrival } from '../../../src/peer/store/arrivals.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MAX_REMEMBERED_ARRIVALS, RememberedArrivals } from '../../../src/peer/store/remembered-arrivals.js';

const BLOCK = 64;
const FROM_ORIGIN = { isFromOrigin: true };
const signal = new AbortController().signal;

/** Four blocks, the last one shorter. */
const slice = (number: number) => ({ number, offset: number * 1000, length: 3 * BLOCK + 1 });

function bring(arrival: Arrival, sums: number[]): void {
  for (const sum of sums) arrival.onBlock(sum);
}

describe('a piece that arrives block by block', () => {
  const clock = new ManualClock();
  let memory: RememberedArrivals;
  let arrivals: Arrivals;

  beforeEach(() => {
    memory = new RememberedArrivals();
    arrivals = new Arrivals(BLOCK, { memory, clock });
  });

  it('is told of once its first block is here, and not before', () => {
    let told = 0;
    const unsubscribe = arrivals.subscribe(() => told++);
    const arrival = arrivals.begin(slice(2), FROM_ORIGIN);
    assert.equal(arrivals.blocks(2), undefined);
    bring(arrival, [11, 12]);
    assert.equal(told, 1);
    assert.equal(arrivals.blocks(2), arrival);
    assert.equal(arrivals.blocks(1), undefined);
    unsubscribe();
    bring(arrivals.begin(slice(3), FROM_ORIGIN), [1]);
    assert.equal(told, 1);
  });

  it('is told of only once it is complete where its blocks come slowly', () => {
    const [slow, inTime] = [arrivals.begin(slice(0), FROM_ORIGIN), arrivals.begin(slice(1), FROM_ORIGIN)];
    clock.advance(MAX_BLOCK_MS);
    bring(inTime, [11]);
    assert.equal(arrivals.blocks(1), inTime);
    clock.advance(3 * MAX_BLOCK_MS);
    bring(slow, [11, 12, 13]);
    assert.equal(arrivals.blocks(0), undefined);
    bring(slow, [14]);
    assert.equal(arrivals.blocks(0), slow);
  });

  it('is told of when its rest is to be expected as soon as pieces usually take', () => {
    const usual = arrivals.begin(slice(0), FROM_ORIGIN);
    clock.advance(400);
    bring(usual, [11, 12, 13, 14]);
    arrivals.end(usual);
    const slow = arrivals.begin(slice(1), FROM_ORIGIN);
    clock.advance(300);
    bring(slow, [11]);
    assert.equal(arrivals.blocks(1), undefined, '900 ms to come');
    clock.advance(101);
    bring(slow, [12]);
    assert.equal(arrivals.blocks(1), undefined, '401 ms to come');
    clock.advance(100);
    bring(slow, [13]);
    assert.equal(arrivals.blocks(1), slow, '167 ms to come');
  });

  it('gives the sums that are here at once, and the others as they come', async () => {
    const arrival = arrivals.begin(slice(0), FROM_ORIGIN);
    bring(arrival, [11]);
    assert.equal(arrival.sum(0, signal), 11);
    const [second, again, last] = [arrival.sum(1, signal), arrival.sum(1, signal), arrival.sum(3, signal)];
    bring(arrival, [12, 13]);
    assert.equal(arrival.complete, false);
    bring(arrival, [14, 15]);
    assert.equal(arrival.complete, true);
    assert.deepEqual(await Promise.all([second, again, last]), [12, 12, 14]);
    await assert.rejects(Promise.resolve(arrival.sum(0, AbortSignal.abort())), { code: 'DFP_ABORTED' });
  });

  it('ends the wait of who wants to wait no longer', async () => {
    const leaving = new AbortController();
    const waiting = arrivals.begin(slice(0), FROM_ORIGIN).sum(0, leaving.signal);
    leaving.abort();
    await assert.rejects(Promise.resolve(waiting), { code: 'DFP_ABORTED' });
  });

  it('is remembered when it ended well, until its place is written to again', async () => {
    const arrival = arrivals.begin(slice(0), FROM_ORIGIN);
    bring(arrival, [11, 12, 13, 14]);
    arrivals.end(arrival);
    assert.equal(arrivals.blocks(0), arrival);
    let broken = 0;
    arrival.onBroken(() => broken++);
    arrivals.begin(slice(0), FROM_ORIGIN);
    assert.equal(broken, 1);
    assert.equal(arrivals.blocks(0), undefined);
    await assert.rejects(Promise.resolve(arrival.sum(0, signal)), { code: 'DFP_ABORTED' });
  });

  it('is nothing any more when it ended early: who waits hears of it, and who asks gets no sum', async () => {
    const arrival = arrivals.begin(slice(0), FROM_ORIGIN);
    bring(arrival, [11]);
    let broken = 0;
    arrival.onBroken(() => broken++);
    arrival.onBroken(() => assert.fail('was unsubscribed'))();
    const waiting = arrival.sum(1, signal);
    arrivals.end(arrival);
    await assert.rejects(Promise.resolve(waiting), { code: 'DFP_ABORTED', message: /piece 0 comes no further/ });
    await assert.rejects(Promise.resolve(arrival.sum(0, signal)), { code: 'DFP_ABORTED' });
    bring(arrival, [12, 13, 14]);
    arrival.onBroken(() => broken++);
    assert.equal(broken, 2);
    assert.equal(arrival.complete, false);
    assert.equal(arrivals.blocks(0), undefined);
  });

  it('is told of by nobody while two write to its place, and again once one writes alone', () => {
    const first = arrivals.begin(slice(0), FROM_ORIGIN);
    bring(first, [11]);
    let broken = 0;
    first.onBroken(() => broken++);
    const second = arrivals.begin(slice(0), { isFromOrigin: false });
    assert.equal(broken, 1);
    bring(second, [11, 12, 13, 14]);
    assert.equal(arrivals.blocks(0), undefined);
    arrivals.end(second);
    const third = arrivals.begin(slice(0), FROM_ORIGIN);
    bring(third, [11]);
    assert.equal(arrivals.blocks(0), undefined, 'the first one may still write');
    for (const each of [first, third]) arrivals.end(each);
    const alone = arrivals.begin(slice(0), FROM_ORIGIN);
    bring(alone, [11]);
    assert.equal(arrivals.blocks(0), alone);
  });

  /** It ends well. */
  function arrive(number: number, at = arrivals): Arrival {
    const arrival = at.begin(slice(number), FROM_ORIGIN);
    bring(arrival, [11, 12, 13, 14]);
    at.end(arrival);
    return arrival;
  }

  it('is forgotten with its task', () => {
    arrive(1);
    const underWay = arrivals.begin(slice(2), FROM_ORIGIN);
    bring(underWay, [11]);
    arrivals.clear();
    for (const number of [1, 2]) assert.equal(arrivals.blocks(number), undefined);
  });

  it('is forgotten when so many others came after it, to whatever task; those who send it may go on', () => {
    const [oldest, next] = [arrive(0), arrive(1)];
    const other = new Arrivals(BLOCK, { memory, clock });
    for (let number = 2; number < MAX_REMEMBERED_ARRIVALS; number++) arrive(number, other);
    // It came again, so that it is the last of all.
    const again = arrive(1);
    assert.notEqual(again, next);
    assert.equal(arrivals.blocks(0), oldest);
    arrive(2);
    assert.equal(arrivals.blocks(0), undefined);
    assert.equal(arrivals.blocks(1), again);
    assert.equal(oldest.sum(0, signal), 11);
  });
});
