import assert from 'node:assert/strict';
import {
  LIFELESS_WIDENING_MS,
  ORIGIN_PATIENCE_MS,
  ORIGIN_WIDENING_MS,
  OriginRace,
  PARENT_PATIENCE_MS,
} from '../../../src/peer/download/origin-race.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';

const LIFE_PATIENCE_MS = 100;

describe('the race with the origin', () => {
  let clock: VirtualClock;
  let race: OriginRace;

  beforeEach(() => {
    clock = new VirtualClock();
    race = new OriginRace(clock, () => undefined);
  });

  afterEach(() => race.stop());

  const pass = async (ms: number): Promise<void> => {
    clock.script(ms, () => undefined);
    await clock.runUntil(() => false, clock.monotonicMs() + ms);
  };

  async function widthsFrom(patienceMs: number, wideningMs: number): Promise<number[]> {
    const widths = [race.width];
    await pass(patienceMs + 1);
    for (let step = 0; step < 3; step++) {
      widths.push(race.width);
      await pass(wideningMs);
    }
    return widths;
  }

  it('is off while nobody is waited for', async () => {
    await pass(60_000);
    assert.equal(race.width, 0);
    assert.equal(clock.pendingCount, 0);
  });

  it('begins soon where nobody shows life, and takes twice as many with each further moment', async () => {
    race.expectLife(LIFE_PATIENCE_MS);
    assert.deepEqual(await widthsFrom(LIFE_PATIENCE_MS, LIFELESS_WIDENING_MS), [0, 1, 2, 4]);
    assert.ok(race.isLifeless);
  });

  it('begins at once where the last sign of life did not come either', () => {
    race.expectLife(0);
    assert.equal(race.width, 1);
  });

  it('has patience with whoever lives, also when it had begun', async () => {
    const alive = race.expectLife(LIFE_PATIENCE_MS);
    await pass(LIFE_PATIENCE_MS + 1);
    assert.equal(race.width, 1);
    alive();
    assert.ok(!race.isLifeless);
    assert.deepEqual(await widthsFrom(ORIGIN_PATIENCE_MS, ORIGIN_WIDENING_MS), [0, 1, 2, 4]);
  });

  it('takes no sign of life for that of somebody who is asked later', async () => {
    const alive = race.expectLife(LIFE_PATIENCE_MS);
    race.expectLife(LIFE_PATIENCE_MS);
    alive();
    await pass(LIFE_PATIENCE_MS + 1);
    assert.ok(race.isLifeless);
  });

  it('is patient with parents that have spoken, and starts anew with each byte', async () => {
    // Silence is told by ticks, of which one may come at once.
    const almostMs = PARENT_PATIENCE_MS - ORIGIN_WIDENING_MS - 1;
    race.expectLife(LIFE_PATIENCE_MS);
    race.heard();
    for (const word of ['first', 'next']) {
      await pass(almostMs);
      assert.equal(race.width, 0, `${word} wait`);
      race.moved();
    }
    await pass(PARENT_PATIENCE_MS);
    assert.equal(race.width, 1);
    assert.ok(!race.isLifeless);
  });

  it('has no more patience with a scheduler far away than with one that thinks', async () => {
    race.expectLife(10 * ORIGIN_PATIENCE_MS);
    await pass(ORIGIN_PATIENCE_MS + 1);
    assert.equal(race.width, 1);
  });

  it('says each time that there may be more to ask for, the first time at once', async () => {
    let ticks = 0;
    const told = new OriginRace(clock, () => ticks++);
    told.expectLife(0);
    assert.equal(ticks, 1);
    await pass(2 * LIFELESS_WIDENING_MS + 1);
    assert.equal(ticks, 3);
    told.stop();
  });

  it('has no patience with parents that gave nothing lately, until one that did gives word, or bytes come', async () => {
    race.expectLife(LIFE_PATIENCE_MS);
    race.heard(0);
    race.asked(0);
    assert.deepEqual(await widthsFrom(0, ORIGIN_WIDENING_MS), [1, 1, 2, 4]);
    race.heard(PARENT_PATIENCE_MS);
    assert.equal(race.width, 0);
    race.asked(0);
    assert.deepEqual(await widthsFrom(PARENT_PATIENCE_MS, ORIGIN_WIDENING_MS), [0, 1, 2, 4]);
    race.expectLife(LIFE_PATIENCE_MS);
    race.asked(0);
    assert.equal(race.width, 1);
    race.moved();
    assert.equal(race.width, 0);
  });

  it('leaves no timer behind', () => {
    const alive = race.expectLife(LIFE_PATIENCE_MS);
    race.moved();
    race.stop();
    alive();
    assert.equal(clock.pendingCount, 0);
    assert.equal(race.width, 0);
  });
});
