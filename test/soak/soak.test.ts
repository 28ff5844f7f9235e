import assert from 'node:assert/strict';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { makePlan } from './plan.js';
import { formatReport } from './report.js';
import { runSoak } from './run-soak.js';

const DURATION_MS = 60_000;
const FILE_COUNT = 20;

describe('soak', function () {
  // Most of it is starting some fifty processes, which a busy machine takes its time for.
  this.timeout(10 * DURATION_MS);
  const directory = useTemporaryDirectory();

  it('gets every file right and leaks nothing through a minute of kills, limits, lies and a flaky origin', async () => {
    const report = await runSoak(makePlan(1, DURATION_MS, FILE_COUNT), directory(), () => undefined);
    console.log(formatReport(report).replaceAll(/^/gm, '      '));
    assert.deepEqual(report.failures, []);
    assert.ok(report.tally.succeeded > 0 && report.kills > 0 && report.limitSwitches > 0);
  });
});
