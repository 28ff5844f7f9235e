import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { BandwidthLimiter } from '../../src/bandwidth/bandwidth-limiter.js';
import { NestedBudget } from '../../src/bandwidth/nested-budget.js';
import type { ByteBudget } from '../../src/core/byte-budget.js';
import { ManualLeases, manualLimiter } from './support/manual-leases.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
setMaxListeners(0, never);

describe('nested budgets', () => {
  it('grant what the tightest has, and give the rest back to the others', async () => {
    const wide = new BandwidthLimiter(undefined);
    const { limiter: tight, sources } = manualLimiter(10);
    const nested = new NestedBudget([wide, tight]);
    const taken = nested.take(50, never);
    await new Promise((resolve) => setImmediate(resolve));
    await sources[0]?.grant();
    assert.equal(await taken, 10);
    assert.equal(wide.spentBytes, 10);
    nested.giveBack(4);
    assert.deepEqual([wide.spentBytes, tight.spentBytes], [6, 6]);
  });

  it('charge nothing when one of them fails', async () => {
    const wide = new BandwidthLimiter(undefined);
    const { limiter: tight } = manualLimiter(10);
    const controller = new AbortController();
    const taken = new NestedBudget([wide, tight]).take(50, controller.signal);
    controller.abort();
    await assert.rejects(taken, { code: 'DFP_ABORTED' });
    assert.equal(wide.spentBytes, 0);
  });

  it('take nothing that no limit granted for a credit within one that was set meanwhile', async () => {
    const { limiter: total, sources } = manualLimiter(64 * 1024);
    const { perTask, sources: taskSources } = unlimitedAtFirst();
    const before = new NestedBudget([perTask, total]);
    const pending = before.take(MIB, never);
    await new Promise((resolve) => setImmediate(resolve));
    perTask.setLimit(1000);
    const after = perTask.take(MIB, never);
    await sources[0]?.grant();
    before.giveBack(await pending);
    assert.equal(perTask.waiting, 1, 'it was granted what was given back');
    await taskSources[0]?.grant();
    assert.deepEqual([await after, perTask.spentBytes], [1000, 1000]);
  });

  it('grant exactly what the leases hold, also where a limit is set after the start', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            action: fc.constantFrom(
              'take',
              'take of one',
              'take of one',
              'grant',
              'grant total',
              'give back',
              'abort',
              'limit',
            ),
            n: fc.nat(999),
          }),
          { maxLength: 60, size: 'max' },
        ),
        async (steps) => {
          const { limiter: total, sources: totalSources } = manualLimiter(100);
          const { perTask, sources } = unlimitedAtFirst();
          const held: { budget: ByteBudget; bytes: number; limited: boolean }[] = [];
          const controllers: AbortController[] = [];
          let leased = 0;
          for (const { action, n } of [{ action: 'take', n: 999 }, ...steps]) {
            if (action === 'take' || action === 'take of one') {
              const budget = action === 'take' ? new NestedBudget([perTask, total]) : perTask;
              const limited = sources.length > 0;
              const controller = new AbortController();
              controllers.push(controller);
              budget.take(n + 1, controller.signal).then(
                (bytes) => held.push({ budget, bytes, limited }),
                () => undefined,
              );
            }
            const source = action === 'grant' ? sources.at(-1) : totalSources[0];
            if (action.startsWith('grant') && source?.asked === true) {
              if (action === 'grant') leased += source.leaseBytes * source.askedLeases;
              await source.grant();
            }
            if (action === 'give back') {
              // The limiter alone can't tell whose grant it was: only who nests keeps that in mind.
              const index = held.findLastIndex(({ budget, limited }) => limited || budget instanceof NestedBudget);
              for (const { budget, bytes } of index === -1 ? [] : held.splice(index, 1)) budget.giveBack(bytes);
            }
            if (action === 'abort') controllers.pop()?.abort();
            if (action === 'limit') perTask.setLimit(n + 2);
            await new Promise((resolve) => setImmediate(resolve));
            const out = held.reduce((sum, { bytes, limited }) => sum + (limited ? bytes : 0), 0);
            assert.ok(out <= leased, `${out} bytes are out, ${leased} were leased`);
          }
        },
      ),
      { numRuns: 200 },
    ));

  function unlimitedAtFirst(): { perTask: BandwidthLimiter; sources: ManualLeases[] } {
    const sources: ManualLeases[] = [];
    const createLeases = (limit: number): ManualLeases => {
      const source = new ManualLeases(limit);
      sources.push(source);
      return source;
    };
    return { perTask: new BandwidthLimiter(undefined, { createLeases }), sources };
  }
});
