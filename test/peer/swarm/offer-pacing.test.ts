import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import {
  CROSSED_OFFER_TIMEOUT_MS,
  FIRST_OFFER_TIMEOUT_MS,
  MAX_CHILD_SHARE,
  MAX_OFFER_TIMEOUT_MS,
  MAX_PACED_UPLOAD_MS,
  MAX_UNTAKEN_OFFERS,
  MIN_PACED_UPLOADS,
  SPARE_PATIENCE_MS,
  UPLOAD_PATIENCE,
} from '../../../src/peer/swarm/offer-pacing.js';
import type { Untold } from '../../../src/peer/swarm/paced-child.js';
import { counts, ipOf, PacedSwarm, PIECES, TASK, total } from './support/paced-swarm.js';

const ONE: Untold = { some: () => true, choose: () => 1, isNews: () => false };
const SEVEN: Untold = {
  some: (isWanted) => isWanted(7),
  choose: (isWanted) => (isWanted(7) ? 7 : undefined),
  isNews: () => false,
};
function onceOf(number: number): Untold['choose'] {
  const left = [number];
  return () => left.pop();
}
/** Its turn never comes. */
const NOT_YET: Untold = { some: () => true, choose: () => undefined, isNews: () => false };

describe('offer pacing', () => {
  let swarm: PacedSwarm;

  beforeEach(() => (swarm = new PacedSwarm()));

  it('shares the first offers evenly, no more than the line takes at once', async () => {
    const all = swarm.listeners(2);
    await swarm.settled();
    assert.deepEqual(counts(all), [MIN_PACED_UPLOADS / 2, MIN_PACED_UPLOADS / 2]);
  });

  it('offers nothing more while the offers are being uploaded, and one when an upload ends', async () => {
    const all = swarm.listeners(4);
    await swarm.settled();
    const ends = all.flatMap((each) => swarm.takeAll(each));
    swarm.clock.advance(MAX_OFFER_TIMEOUT_MS);
    await swarm.settled();
    assert.equal(total(all), MIN_PACED_UPLOADS);
    ends[0]?.(1000);
    await swarm.settled();
    // And one for the window, which has grown: the upload was the quickest so far.
    assert.equal(total(all), MIN_PACED_UPLOADS + 2);
  });

  it('shares several places that become free at once evenly, whoever came first', async () => {
    const all = swarm.listeners(4);
    await swarm.settled();
    for (const end of all.flatMap((each) => swarm.takeAll(each))) end(1000);
    await swarm.settled();
    assert.ok(Math.max(...counts(all)) - Math.min(...counts(all)) <= 1, counts(all).join(' '));
    assert.ok(total(all) > 2 * MIN_PACED_UPLOADS);
  });

  it('gives back the places of uploads that fail, and learns nothing of them; nor does it mind strangers', async () => {
    const all = swarm.listeners(4);
    await swarm.settled();
    swarm.upload(1, '10.0.0.99')(100, 'client-closed');
    const [first] = all;
    const ends = all.flatMap((each) => swarm.takeAll(each));
    assert.deepEqual([first?.child.uploads.size, first?.child.taken.size], [1, 1]);
    for (const end of ends) end(1, 'client-closed');
    assert.deepEqual([first?.child.uploads.size, first?.child.taken.size], [0, 0]);
    await swarm.settled();
    assert.equal(total(all), 2 * MIN_PACED_UPLOADS);
  });

  it('gives others the place of an upload that waits for its piece', async () => {
    const all = swarm.listeners(4);
    await swarm.settled();
    const uploads = all.flatMap(({ heard, child }) => heard.map((number) => swarm.upload(number, child.ip)));
    await swarm.settled();
    assert.equal(total(all), MIN_PACED_UPLOADS);
    const [waiting, , ended] = uploads;
    swarm.progressOf(waiting).waitingFor = 'piece';
    ended?.(1000);
    await swarm.settled();
    assert.equal(total(all), MIN_PACED_UPLOADS + 2);
  });

  it('gives back the place of an upload that takes too long, but once', async () => {
    const all = swarm.listeners(4);
    await swarm.settled();
    const ends = all.flatMap((each) => swarm.takeAll(each));
    swarm.clock.advance(MAX_PACED_UPLOAD_MS);
    await swarm.settled();
    assert.equal(total(all), 2 * MIN_PACED_UPLOADS);
    for (const end of ends) end(MAX_PACED_UPLOAD_MS, 'client-closed');
    await swarm.settled();
    assert.equal(total(all), 2 * MIN_PACED_UPLOADS);
  });

  it('gives the places of a child that leaves to the others at once', async () => {
    const all = swarm.listeners(3);
    await swarm.settled();
    all.shift()?.leave();
    await swarm.settled();
    assert.equal(total(all), MIN_PACED_UPLOADS);
    assert.ok(swarm.pacing.hasChild(TASK, ipOf(1)));
  });

  it('does not keep a child waiting that has become alone', async () => {
    const [leaving, staying] = swarm.listeners(2);
    assert.ok(leaving !== undefined && staying !== undefined);
    await swarm.settled();
    swarm.takeAll(leaving);
    await swarm.settled();
    leaving.leave();
    await swarm.settled();
    assert.equal(staying.heard.length, MAX_UNTAKEN_OFFERS);
  });

  it('serves the child first that is furthest behind, as far as its share goes', async () => {
    const all = swarm.listeners(3);
    swarm.says(0, (number) => number < 50);
    swarm.says(1, (number) => number < 10);
    swarm.says(2, (number) => number < 60);
    await swarm.settled();
    const share = Math.ceil(MIN_PACED_UPLOADS * MAX_CHILD_SHARE);
    assert.deepEqual(counts(all), [MIN_PACED_UPLOADS - share, share, 0]);
  });

  it('tells a child of nothing that it holds', async () => {
    const all = swarm.listeners(2);
    swarm.says(0, (number) => number < 90);
    swarm.says(1, (number) => number < 90);
    await swarm.settled();
    assert.ok(total(all) > 0);
    assert.ok(all.every(({ heard }) => heard.every((number) => number >= 90)));
  });

  it('hears what a child holds only from the host that it is on', () => {
    swarm.listeners(1);
    swarm.says(
      0,
      () => true,
      [],
      () => true,
      '10.0.0.99',
    );
    assert.equal(swarm.pacing.copies(TASK, 7), 0);
    swarm.says(0, () => true);
    assert.equal(swarm.pacing.copies(TASK, 7), 1);
  });

  it('tells children behind one address apart: by the host that speaks, and by what each was told of', async () => {
    const { signal } = new AbortController();
    const ip = ipOf(0);
    const [one, other] = ['host-0', 'host-1'].map((hostId) => swarm.pacing.join({ taskId: TASK, hostId, ip }));
    assert.ok(one !== undefined && other !== undefined);
    swarm.says(0, (number) => number === 50);
    assert.equal(swarm.pacing.copies(TASK, 50), 1);
    for (const [child, number] of [
      [one, 1],
      [other, 2],
    ] as const) {
      const told = child.next({ some: () => true, choose: onceOf(number), isNews: () => false }, signal);
      await swarm.settled();
      assert.deepEqual(await told, [number]);
    }
    for (const number of [2, 1]) swarm.upload(number, ip);
    swarm.upload(1, ipOf(9));
    assert.deepEqual([[...one.taken], [...other.taken]], [[1], [2]]);
    for (const child of [one, other]) child.leave();
  });

  it('tells a child of what it has asked for no more, though nothing else happens', async () => {
    const all = swarm.listeners(2);
    for (const index of [0, 1])
      swarm.says(
        index,
        () => true,
        [],
        () => false,
      );
    await swarm.settled();
    assert.equal(total(all), 0);
    swarm.says(0, (number) => number !== 7);
    await swarm.settled();
    assert.deepEqual(all[0]?.heard, [7]);
  });

  it('tells a child late of what it waits for from others, and never of what it has', async () => {
    const all = swarm.listeners(2);
    const isHeld = (number: number): boolean => number < 90;
    swarm.says(0, isHeld, [], (number) => number < 80);
    swarm.says(1, isHeld);
    await swarm.passes(SPARE_PATIENCE_MS);
    assert.deepEqual(heardBelow(90), [[], []]);
    await swarm.passes(SPARE_PATIENCE_MS);
    assert.deepEqual(heardBelow(90), [[80, 81, 82, 83, 84, 85, 86, 87, 88, 89], []]);

    function heardBelow(limit: number): number[][] {
      return all.map(({ heard }) => heard.filter((number) => number < limit).sort((a, b) => a - b));
    }
  });

  it('does so though nothing else happens', async () => {
    const [waiting] = swarm.listeners(1);
    swarm.says(
      0,
      () => true,
      [],
      (number) => number !== 7,
    );
    await swarm.passes(2 * SPARE_PATIENCE_MS);
    assert.deepEqual(waiting?.heard, [7]);
  });

  it('is more patient with children that share a slow line, and begins anew with what they lack in between', async () => {
    const all = swarm.listeners(2);
    await swarm.settled();
    for (const end of all.flatMap((each) => swarm.takeAll(each))) end(SPARE_PATIENCE_MS);
    for (const each of all) each.heard.length = 0;
    const isHeld = (number: number): boolean => number >= 90;
    for (const index of [0, 1]) swarm.says(index, isHeld, [], () => false);
    await swarm.passes(2 * SPARE_PATIENCE_MS);
    swarm.says(
      0,
      () => false,
      [],
      () => false,
    );
    await swarm.passes(500);
    swarm.says(0, isHeld, [], () => false);
    await swarm.passes(2 * SPARE_PATIENCE_MS);
    const spares = all.map(({ heard }) => heard.filter(isHeld).length);
    assert.deepEqual(spares, [0, PIECES - 90]);
  });

  it('gives the place of an offer to others soon when the child says that it has the piece from elsewhere', async () => {
    const all = swarm.listeners(2);
    await swarm.settled();
    swarm.says(0, () => true);
    await swarm.settled();
    swarm.clock.advance(CROSSED_OFFER_TIMEOUT_MS);
    await swarm.settled();
    assert.deepEqual(counts(all), [MIN_PACED_UPLOADS / 2, Math.ceil(MIN_PACED_UPLOADS * MAX_CHILD_SHARE)]);
  });

  it('leaves the other offers of a child open that says something', async () => {
    const all = swarm.listeners(2);
    await swarm.settled();
    swarm.says(0, (number) => number > 90);
    swarm.clock.advance(CROSSED_OFFER_TIMEOUT_MS);
    await swarm.settled();
    assert.equal(total(all), MIN_PACED_UPLOADS);
  });

  it('ends the wait of a child for which something else has happened, and of no other one', async () => {
    const all = swarm.listeners(2);
    await swarm.settled();
    const before = total(all);
    const waiting = all[0]?.child.next(ONE, new AbortController().signal);
    let isOtherWaiting = true;
    void all[1]?.child.next(NOT_YET, new AbortController().signal).then(() => (isOtherWaiting = false));
    all[0]?.child.recall();
    assert.deepEqual(await waiting, []);
    assert.equal(total(all), before);
    await swarm.settled();
    assert.ok(isOtherWaiting);
  });

  it('keeps no child waiting for what it has', async () => {
    const child = swarm.pacing.join({ taskId: TASK, hostId: 'host-0', ip: ipOf(0) });
    swarm.says(0, (number) => number === 7);
    const waiting = child.next(SEVEN, new AbortController().signal);
    await swarm.settled();
    assert.deepEqual(await waiting, []);
  });

  it('ends a wait with its signal, also one that is aborted before, and keeps nothing of it', async () => {
    const [{ child } = assert.fail()] = swarm.listeners(2);
    assert.deepEqual(await child.next(NOT_YET, AbortSignal.abort()), []);
    const controller = new AbortController();
    const waiting = child.next(NOT_YET, controller.signal);
    controller.abort();
    assert.deepEqual(await waiting, []);
    const { signal } = new AbortController();
    const recalled = child.next(NOT_YET, signal);
    child.recall();
    await recalled;
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('takes two timers however many wait: for their turns, and for what they wait for from others', () => {
    swarm.listeners(5);
    assert.equal(swarm.clock.pendingTimers, 2);
  });

  it('counts who says that it has a piece, and forgets who is gone', async () => {
    const all = swarm.listeners(3);
    swarm.says(0, (number) => number < 2);
    swarm.says(1, (number) => number < 1);
    assert.deepEqual(
      [swarm.pacing.copies(TASK, 0), swarm.pacing.copies(TASK, 1), swarm.pacing.copies(TASK, 2)],
      [2, 1, 0],
    );
    assert.ok(swarm.pacing.hasChild(TASK, all[0]?.child.ip ?? ''));
    assert.ok(!swarm.pacing.hasChild(TASK, '10.0.0.99'));
    for (const { child } of all) child.leave();
    await swarm.settled();
    assert.equal(swarm.pacing.copies(TASK, 0), 0);
    assert.equal(swarm.pacing.hasChild(TASK, all[0]?.child.ip ?? ''), false);
  });

  it('lets a child alone with a task hear far ahead of what it takes', async () => {
    const [only] = swarm.listeners(1);
    await swarm.settled();
    assert.equal(only?.heard.length, MAX_UNTAKEN_OFFERS);
    swarm.clock.advance(FIRST_OFFER_TIMEOUT_MS);
    await swarm.settled();
    assert.equal(only.heard.length, 2 * MAX_UNTAKEN_OFFERS);
  });

  it('gives children on slow links longer to answer', async () => {
    const all = swarm.listeners(2);
    for (let round = 0; round < 20; round++) {
      await swarm.settled();
      swarm.clock.advance(FIRST_OFFER_TIMEOUT_MS * 2);
      for (const each of all) {
        for (const end of swarm.takeAll(each)) end(600);
        each.heard.length = 0;
      }
    }
    await swarm.settled();
    const before = total(all);
    swarm.clock.advance(FIRST_OFFER_TIMEOUT_MS * 2);
    await swarm.settled();
    assert.equal(total(all), before, 'offers lapsed before the children could answer');
  });

  for (const { takeMs, ahead } of [
    { takeMs: 0, ahead: 0 },
    { takeMs: 250, ahead: MIN_PACED_UPLOADS / 2 },
    { takeMs: 1500, ahead: MIN_PACED_UPLOADS },
  ])
    it(`makes ${ahead} offers more than the line takes at once when they are taken after ${takeMs} ms, and an upload takes 500`, async () => {
      const all = swarm.listeners(4);
      await swarm.settled();
      for (const end of all.flatMap((each) => swarm.takeAll(each))) end(100);
      for (let round = 0; round < 5; round++) {
        for (const each of all) each.heard.length = 0;
        await swarm.settled();
        swarm.clock.advance(takeMs);
        for (const end of all.flatMap((each) => swarm.takeAll(each))) end(500);
      }
      for (const each of all) each.heard.length = 0;
      await swarm.settled();
      assert.equal(total(all), MIN_PACED_UPLOADS + ahead);
    });

  it('does not wait for uploads that take far longer than usual, but leaves a child with such ones at its share', async () => {
    const all = swarm.listeners(2);
    const [slow, quick] = all;
    assert.ok(slow !== undefined && quick !== undefined);
    await swarm.settled();
    swarm.takeAll(slow);
    for (const end of swarm.takeAll(quick)) end(100);
    swarm.clock.advance(UPLOAD_PATIENCE * 100);
    for (let round = 0; round < 5; round++) {
      await swarm.settled();
      swarm.clock.advance(MAX_OFFER_TIMEOUT_MS);
    }
    await swarm.settled();
    assert.ok(quick.heard.length > MIN_PACED_UPLOADS, `${quick.heard.length}`);
  });

  it('ends the wait of a child that leaves, and holds no timer in the end', async () => {
    const all = swarm.listeners(3);
    await swarm.settled();
    for (const end of all.flatMap((each) => swarm.takeAll(each))) end(100);
    assert.ok(swarm.pacing.hasChildren(TASK));
    for (const each of all) each.leave();
    assert.ok(!swarm.pacing.hasChildren(TASK));
    await swarm.passes(SPARE_PATIENCE_MS);
    assert.equal(swarm.clock.pendingTimers, 0);
  });
});
