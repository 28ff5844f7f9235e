import assert from 'node:assert/strict';
import { runSeed } from './run-seed.js';

const SEEDS = 2000;

describe('simulated downloads', () => {
  it(`end right or with a coded reason, in time and without leaks, for ${SEEDS} seeds of faults`, async function () {
    this.timeout(120_000);
    const failed: string[] = [];
    let succeeded = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const { failures, outcomes } = await runSeed(seed);
      if (failures.length > 0) failed.push(`seed ${seed}: ${failures.join('; ')}`);
      succeeded += outcomes.filter((outcome) => outcome === 'ok').length;
    }
    assert.deepEqual(failed, [], 'see each with: npm run test:simulation -- --seed S');
    // A world in which everything fails would prove nothing.
    assert.ok(succeeded > SEEDS, `only ${succeeded} downloads succeeded`);
  });

  it('go the same way again for the same seed', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const [once, again] = [await runSeed(seed), await runSeed(seed)];
      assert.deepEqual(again.log, once.log);
    }
  });
});
