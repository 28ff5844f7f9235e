import assert from 'node:assert/strict';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { fuzzDaemon } from './fuzz/fuzz-daemon.js';

/** A taste of `npm run test:fuzz`; other requests in each run. */
const INPUTS = 1500;

describe('the gRPC services of a daemon', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();

  it('answer whatever is sent to any method, and stay up', async () => {
    const seed = Date.now() % 1e9;
    const report = await fuzzDaemon(directory(), { inputs: INPUTS, seed });
    assert.deepEqual(report.findings, [], `npm run test:fuzz -- --inputs ${INPUTS} --seed ${seed}`);
    assert.ok(report.inputs >= INPUTS);
  });
});
