import assert from 'node:assert/strict';
import { MAX_PACED_UPLOAD_MS, MIN_PACED_UPLOADS } from '../../../src/peer/swarm/offer-pacing.js';
import { counts, type Listener, PacedSwarm, total } from './support/paced-swarm.js';

describe('offers of what comes from the origin', () => {
  let swarm: PacedSwarm;

  beforeEach(() => (swarm = new PacedSwarm()));

  /** They hold nothing, these hosts may give to them, and all that is here is news. */
  function newsListeners(count: number, hosts: string[]): Listener[] {
    const all = swarm.listeners(count);
    for (const [index, each] of all.entries()) {
      each.isNews = () => true;
      swarm.says(index, () => false, hosts);
    }
    return all;
  }

  it('tells one child only of what comes from the origin, when others have it from there', async () => {
    const hosts = ['host-0', 'host-1', 'host-2'];
    const all = newsListeners(3, hosts);
    for (let round = 0; round < 10; round++) {
      await swarm.settled();
      for (const [index, each] of all.entries()) swarm.says(index, (number) => each.heard.includes(number), hosts);
      for (const end of all.flatMap((each) => swarm.takeAll(each))) end(1000);
      swarm.clock.advance(10);
    }
    await swarm.settled();
    const heard = all.flatMap((each) => each.heard);
    assert.ok(heard.length > MIN_PACED_UPLOADS);
    assert.equal(new Set(heard).size, heard.length);
  });

  it('gives it first to the child that has the least left to pass on, not to the one that lacks the most', async () => {
    const hosts = ['host-0', 'host-1', 'host-2'];
    const all = newsListeners(3, hosts);
    await swarm.settled();
    const ends = all.flatMap((each) => swarm.takeAll(each));
    const kept = new Set(all[2]?.heard);
    const before = counts(all);
    for (const index of [0, 1]) swarm.says(index, (number) => number < 50 && !kept.has(number), hosts);
    swarm.says(2, (number) => number < MIN_PACED_UPLOADS, hosts);
    for (const end of ends) end(1000);
    await swarm.settled();
    const [first = 0, second = 0] = counts(all).map((count, index) => count - (before[index] ?? 0));
    assert.ok(first > 0 && second > 0, `${before.join(' ')} → ${counts(all).join(' ')}`);
  });

  it('tells a child of it that has nobody else to have it from', async () => {
    const all = newsListeners(2, ['this-host']);
    await swarm.settled();
    assert.deepEqual(all[0]?.heard, all[1]?.heard);
  });

  it('remembers who else may give to a child when that says nothing of it', () => {
    const [one] = newsListeners(1, ['host-1']);
    swarm.says(0, () => false);
    assert.deepEqual(one?.child.parentHostIds, new Set(['host-1']));
  });

  for (const isTaken of [false, true])
    it(`tells others of it when whoever ${isTaken ? 'took it' : 'was told'} does not pass it on in time`, async () => {
      const all = swarm.listeners(2);
      for (const [index, each] of all.entries()) {
        each.isNews = (number) => number < 2;
        swarm.says(index, (number) => number >= 2, ['host-0', 'host-1']);
      }
      await swarm.settled();
      assert.equal(total(all), 2);
      if (isTaken) for (const end of all.flatMap((each) => swarm.takeAll(each))) end(MAX_PACED_UPLOAD_MS);
      await swarm.settled();
      swarm.clock.advance(MAX_PACED_UPLOAD_MS + 1000);
      await swarm.settled();
      assert.equal(total(all), 4);
    });
});
