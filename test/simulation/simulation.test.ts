import assert from 'node:assert/strict';
import { Histogram, PROMISED_FAULTS, REACTIONS, reactionsIn } from './exercised.js';
import { runSeed } from './run-seed.js';

const SEEDS = 2000;

describe('simulated downloads', () => {
  const [faults, reactions] = [new Histogram(), new Histogram()];

  it(`end right or with a coded reason, in time and without leaks, for ${SEEDS} seeds of faults`, async function () {
    this.timeout(300_000);
    const failed: string[] = [];
    let succeeded = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const { failures, outcomes, log, faults: exercised } = await runSeed(seed);
      if (failures.length > 0) failed.push(`seed ${seed}: ${failures.join('; ')}`);
      succeeded += outcomes.filter((outcome) => outcome === 'ok').length;
      faults.add(exercised);
      reactions.add(reactionsIn(log));
    }
    assert.deepEqual(failed, [], 'see each with: npm run test:simulation -- --seed S');
    // A world in which everything fails would prove nothing.
    assert.ok(succeeded > SEEDS, `only ${succeeded} downloads succeeded`);
  });

  it('have met every fault and answered in every way by then', () => {
    assert.deepEqual(
      PROMISED_FAULTS.filter((name) => !faults.has(name)),
      [],
    );
    assert.deepEqual(
      REACTIONS.map(([name]) => name).filter((name) => !reactions.has(name)),
      [],
    );
  });

  it('go the same way again for the same seed', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const [once, again] = [await runSeed(seed), await runSeed(seed)];
      assert.deepEqual(again.log, once.log);
    }
  });
});
