import assert from 'node:assert/strict';
import { type ModelOptions, type ModelResult, runModel } from './run-model.js';

const SEEDS = [1, 2, 3];

/** The middle one of several runs. */
async function median(options: Omit<ModelOptions, 'seed'>): Promise<ModelResult> {
  const results: ModelResult[] = [];
  for (const seed of SEEDS) results.push(await runModel({ ...options, seed }));
  const middle = results.sort((a, b) => a.lastDone - b.lastDone)[SEEDS.length >> 1];
  assert.ok(middle);
  return middle;
}

describe('the model of a swarm', () => {
  for (const { nodes, latencyMs, most } of [
    { nodes: 2, latencyMs: 15, most: 1.06 },
    { nodes: 4, latencyMs: 15, most: 1.13 },
    { nodes: 8, latencyMs: 15, most: 1.18 },
    { nodes: 16, latencyMs: 15, most: 1.26 },
    // As over long ways, or with processors that have more to do than they can.
    { nodes: 8, latencyMs: 150, most: 1.36 },
    { nodes: 8, latencyMs: 300, most: 1.6 },
  ])
    it(`has ${nodes} nodes done within ${most} × size / bandwidth when a message takes ${latencyMs} ms, and the origin read once`, async () => {
      const { lastDone, originSent } = await median({ nodes, latencyMs });
      assert.ok(lastDone <= most, `${lastDone.toFixed(3)} × size / bandwidth`);
      assert.equal(originSent.toFixed(3), '1.000');
    });

  it('goes the same way with the same seed', async () => {
    const options = { nodes: 4, seed: 1 };
    assert.deepEqual(await runModel(options), await runModel(options));
  });
});
