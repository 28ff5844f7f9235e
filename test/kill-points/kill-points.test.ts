import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describePoint, OPERATION_NAMES, somePoints } from './kill-plan.js';
import { runKillPoint, type Scenario } from './run-kill-point.js';

const MIB = 1024 * 1024;
/** Of each scenario; `npm run test:kill-points` tries all of them. */
const POINTS = 5;

describe('a store whose process is killed', function () {
  this.timeout(120_000);
  const contents = { old: randomBytes(18 * MIB), current: randomBytes(18 * MIB) };

  for (const scenario of ['fresh', 'changed'] satisfies Scenario[])
    it(`serves only verified bytes and goes on where it was, whatever it was doing (${scenario} content)`, async () => {
      const { journal } = await runKillPoint(scenario, contents);
      const kinds = new Set(journal);
      for (const letter of scenario === 'fresh' ? 'wtsolm' : 'wtsolmu')
        assert.ok(kinds.has(letter), `a download does a ${OPERATION_NAMES[letter] ?? letter}`);
      let killed = 0;
      for (const point of somePoints(journal, POINTS)) {
        const { wasKilled } = await runKillPoint(scenario, contents, point).catch((error: unknown) => {
          throw new Error(`killed ${describePoint(point)}: ${String(error)}`, { cause: error });
        });
        if (wasKilled) killed++;
      }
      assert.ok(killed >= POINTS - 2, `${killed} of ${POINTS} points were reached`);
    });
});
