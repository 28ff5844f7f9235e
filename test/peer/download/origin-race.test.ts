import assert from 'node:assert/strict';
import {
  ORIGIN_PATIENCE_MS,
  ORIGIN_WIDENING_MS,
  OriginRace,
  PARENT_PATIENCE_MS,
} from '../../../src/peer/download/origin-race.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';

describe('the race with the origin', () => {
  let clock: VirtualClock;
  let race: OriginRace;

  beforeEach(() => {
    clock = new VirtualClock();
    race = new OriginRace(clock, () => undefined);
  });

  const pass = (ms: number): Promise<boolean> => clock.runUntil(() => false, clock.monotonicMs() + ms);

  it('is off while nobody is waited for', async () => {
    await pass(60_000);
    assert.equal(race.width, 0);
    assert.equal(clock.pendingCount, 0);
  });

  it('begins with one piece, and takes twice as many with each further silence', async () => {
    race.expectWord();
    const widths: number[] = [];
    for (let step = 0; step < 4; step++) {
      widths.push(race.width);
      const untilMs = ORIGIN_PATIENCE_MS + step * ORIGIN_WIDENING_MS + 1 - clock.monotonicMs();
      clock.script(untilMs, () => undefined);
      await pass(untilMs);
    }
    assert.deepEqual(widths, [0, 1, 2, 4]);
    race.stop();
  });

  it('is patient with parents that have spoken, and starts anew with each byte', async () => {
    // Silence is told by ticks, of which one may come at once.
    const almostMs = PARENT_PATIENCE_MS - ORIGIN_WIDENING_MS - 1;
    race.expectWord();
    race.heard();
    for (const word of ['first', 'next']) {
      clock.script(almostMs, () => undefined);
      await pass(almostMs);
      assert.equal(race.width, 0, `${word} wait`);
      race.moved();
    }
    clock.script(PARENT_PATIENCE_MS, () => undefined);
    await pass(PARENT_PATIENCE_MS);
    assert.equal(race.width, 1);
    race.stop();
  });

  it('leaves no timer behind', async () => {
    race.expectWord();
    race.moved();
    race.stop();
    assert.equal(clock.pendingCount, 0);
    assert.equal(race.width, 0);
  });
});
