import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import fc from 'fast-check';
import type { ByteBudget } from '../../src/core/byte-budget.js';
import { BandwidthLimiter } from '../../src/bandwidth/bandwidth-limiter.js';
import { KeyedLimiters } from '../../src/bandwidth/keyed-limiters.js';
import { BottleneckLeases, type LeaseSource } from '../../src/bandwidth/lease-source.js';
import { NestedBudget } from '../../src/bandwidth/nested-budget.js';
import { Stalls, assertRate } from '../support/processors.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
setMaxListeners(0, never);

/** Leases that come when the test says so. */
class ManualLeases implements LeaseSource {
  closed = false;
  askedLeases = 0;
  #grant: ((bytes: number) => void) | undefined;

  constructor(readonly leaseBytes: number) {}

  get asked(): boolean {
    return this.#grant !== undefined;
  }

  next(leases = 1): Promise<number> {
    this.askedLeases = leases;
    return new Promise((resolve) => (this.#grant = resolve));
  }

  async grant(): Promise<void> {
    const grant = this.#grant;
    this.#grant = undefined;
    grant?.(this.leaseBytes * this.askedLeases);
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.closed = true;
  }
}

function manualLimiter(
  leaseBytes: number,
  maxWaiters?: number,
): { limiter: BandwidthLimiter; sources: ManualLeases[] } {
  const sources: ManualLeases[] = [];
  const createLeases = (limit: number): ManualLeases => {
    const source = new ManualLeases(limit === 1 ? leaseBytes : limit);
    sources.push(source);
    return source;
  };
  return {
    limiter: new BandwidthLimiter(1, { createLeases, ...(maxWaiters === undefined ? {} : { maxWaiters }) }),
    sources,
  };
}

describe('a bandwidth limiter', () => {
  it('grants everything at once without a limit', async () => {
    const limiter = new BandwidthLimiter(undefined);
    assert.equal(await limiter.take(7 * MIB, never), 7 * MIB);
    assert.equal(limiter.spentBytes, 7 * MIB);
  });

  it('shares one lease out evenly among all who wait', async () => {
    const { limiter, sources } = manualLimiter(8 * MIB);
    const grants = Promise.all(Array.from({ length: 32 }, () => limiter.take(MIB, never)));
    await sources[0]?.grant();
    assert.deepEqual(
      await grants,
      Array.from({ length: 32 }, () => MIB / 4),
    );
  });

  it('cuts a lease into no crumbs: whoever gets nothing of it is first at the next one', async () => {
    const { limiter, sources } = manualLimiter(MIB / 8);
    const grants: [string, number][] = [];
    const waiting = ['a', 'b', 'c', 'd'].map((name) =>
      limiter.take(MIB, never).then((bytes) => grants.push([name, bytes])),
    );
    await sources[0]?.grant();
    await Promise.all(waiting.slice(0, 2));
    assert.deepEqual(grants, [
      ['a', MIB / 16],
      ['b', MIB / 16],
    ]);
    await sources[0]?.grant();
    await Promise.all(waiting);
    assert.deepEqual(grants.slice(2), [
      ['c', MIB / 16],
      ['d', MIB / 16],
    ]);
  });

  it('serves those who wait in turn when a lease is too small to share', async () => {
    const { limiter, sources } = manualLimiter(20);
    const order: string[] = [];
    const first = limiter.take(100, never).then(() => order.push('first'));
    const second = limiter.take(100, never).then(() => order.push('second'));
    await sources[0]?.grant();
    await first;
    assert.deepEqual(order, ['first']);
    const third = limiter.take(100, never).then(() => order.push('third'));
    await sources[0]?.grant();
    await sources[0]?.grant();
    await Promise.all([second, third]);
    assert.deepEqual(order, ['first', 'second', 'third']);
  });

  it('asks for two leases at once for those who want large ones, and gives them in one piece', async () => {
    const { limiter, sources } = manualLimiter(MIB);
    const lease = limiter.take(8 * MIB, never, 'large');
    assert.equal(sources[0]?.askedLeases, 2);
    await sources[0].grant();
    assert.equal(await lease, 2 * MIB);
  });

  it('does not give those who want large leases what is left, and asks for no more than is missing', async () => {
    const { limiter, sources } = await limiterWithRemainder();
    const second = limiter.take(1.5 * MIB, never, 'large');
    assert.equal(limiter.waiting, 1);
    assert.equal(sources[0]?.askedLeases, 1);
    await sources[0].grant();
    assert.equal(await second, 1.5 * MIB);
    assert.equal(limiter.spentBytes, 3 * MIB);
  });

  it('gives many who want large leases a quarter of a mebibyte each, in turn', async () => {
    const { limiter, sources } = manualLimiter(MIB);
    const served: number[] = [];
    const grants = Array.from({ length: 16 }, (_, index) =>
      limiter.take(MIB, never, 'large').then((bytes) => {
        served.push(index);
        return bytes;
      }),
    );
    while (served.length < 16) await sources[0]?.grant();
    assert.deepEqual(
      served,
      Array.from({ length: 16 }, (_, index) => index),
    );
    assert.deepEqual((await Promise.all(grants)).slice(0, 8), new Array(8).fill(MIB / 4));
  });

  it('asks for one lease while anybody wants one soon', () => {
    const { limiter, sources } = manualLimiter(MIB);
    void limiter.take(MIB, never, 'soon');
    void limiter.take(MIB, never, 'large');
    assert.equal(sources[0]?.askedLeases, 1);
  });

  it('hands what is given back to the next who waits, and keeps one lease at most for later', async () => {
    const { limiter, sources } = manualLimiter(1000);
    const first = limiter.take(1000, never);
    await sources[0]?.grant();
    const lease = await first;
    const second = limiter.take(600, never);
    limiter.giveBack(lease);
    assert.equal(await second, 600);
    limiter.giveBack(600);
    limiter.giveBack(5000);
    assert.equal(await limiter.take(9000, never), 1000);
  });

  it('moves waiting requests to a new limit, and to none', async () => {
    const { limiter, sources } = manualLimiter(10);
    const waiting = [limiter.take(500, never), limiter.take(500, never)];
    limiter.setLimit(400);
    assert.equal(sources[0]?.closed, true);
    await sources[0]?.grant();
    assert.equal(limiter.spentBytes, 0, 'the old limiter still grants');
    await sources[1]?.grant();
    assert.equal(await waiting[0], 400);
    limiter.setLimit(undefined);
    assert.equal(await waiting[1], 500);
    assert.equal(limiter.spentBytes, 900);
  });

  /** Half a lease is left over, and too little for who wants a large one. */
  async function limiterWithRemainder(): Promise<ReturnType<typeof manualLimiter>> {
    const manual = manualLimiter(MIB);
    const first = manual.limiter.take(1.5 * MIB, never, 'large');
    await manual.sources[0]?.grant();
    assert.equal(await first, 1.5 * MIB);
    return manual;
  }

  it('keeps no more than one lease of a new limit, also for those who wait for a large one', async () => {
    const { limiter, sources } = await limiterWithRemainder();
    const second = limiter.take(1.5 * MIB, never, 'large');
    limiter.setLimit(300_000);
    assert.equal(limiter.waiting, 1);
    await sources[1]?.grant();
    assert.equal(await second, 600_000);
  });

  it('gives those who want large leases ordinary ones where these are small', async () => {
    const { limiter, sources } = await limiterWithRemainder();
    const second = limiter.take(1.5 * MIB, never, 'large');
    limiter.setLimit(1000);
    assert.equal(await second, 1000, 'what is left of the former limit');
    const third = limiter.take(MIB, never, 'large');
    assert.equal(sources[1]?.askedLeases, 1);
    await sources[1].grant();
    assert.equal(await third, 1000);
  });

  it('charges nothing to a request that is aborted, and forgets it', async () => {
    const { limiter, sources } = manualLimiter(10);
    const controller = new AbortController();
    const aborted = limiter.take(10, controller.signal);
    const patient = limiter.take(10, never);
    controller.abort();
    await assert.rejects(aborted, { code: 'DFP_ABORTED' });
    await sources[0]?.grant();
    assert.equal(await patient, 10);
    assert.equal(limiter.spentBytes, 10);
    await assert.rejects(limiter.take(1, controller.signal), { code: 'DFP_ABORTED' });
  });

  it('refuses requests beyond its bound, and all once it is closed', async () => {
    const { limiter } = manualLimiter(10, 2);
    const waiting = [limiter.take(1, never), limiter.take(1, never)];
    await assert.rejects(limiter.take(1, never), { code: 'DFP_LIMIT' });
    limiter.close();
    for (const request of waiting) await assert.rejects(request, { code: 'DFP_SHUTTING_DOWN' });
    await assert.rejects(limiter.take(1, never), { code: 'DFP_SHUTTING_DOWN' });
  });

  it('refuses a limit that is no positive number', () => {
    for (const limit of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => new BandwidthLimiter(limit), { code: 'DFP_INVALID_ARGUMENT' });
  });

  it('grants exactly what the leases hold, whatever is taken, given back, aborted and changed', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            action: fc.constantFrom('take', 'take large', 'grant', 'give back', 'abort', 'limit'),
            n: fc.nat(999),
          }),
          { maxLength: 60 },
        ),
        async (steps) => {
          const { limiter, sources } = manualLimiter(100);
          const held: number[] = [];
          const controllers: AbortController[] = [];
          let leased = 0;
          let given = 0;
          for (const { action, n } of steps) {
            const source = sources.at(-1);
            if (action === 'take' || action === 'take large') {
              const controller = new AbortController();
              controllers.push(controller);
              limiter.take(n + 1, controller.signal, action === 'take' ? 'soon' : 'large').then(
                (bytes) => held.push(bytes),
                () => undefined,
              );
            }
            if (action === 'grant' && source?.asked === true) {
              leased += source.leaseBytes * source.askedLeases;
              await source.grant();
            }
            if (action === 'give back') {
              const bytes = held.pop() ?? 0;
              given += bytes;
              limiter.giveBack(bytes);
            }
            if (action === 'abort') controllers.pop()?.abort();
            if (action === 'limit') limiter.setLimit(n + 2);
            await new Promise((resolve) => setImmediate(resolve));
            const out = held.reduce((sum, bytes) => sum + bytes, 0);
            assert.equal(limiter.spentBytes, out);
            assert.ok(out <= leased, `${out} bytes are out, ${leased} were leased, ${given} came back`);
          }
        },
      ),
      { numRuns: 60 },
    ));
});

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
          { maxLength: 60 },
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

  it('are kept per key only while somebody uses them', () => {
    const limiters = new KeyedLimiters(MIB);
    const first = limiters.acquire('10.0.0.1');
    assert.equal(limiters.acquire('10.0.0.1'), first);
    limiters.release('10.0.0.1');
    assert.equal(limiters.size, 1);
    limiters.release('10.0.0.1');
    assert.equal(limiters.size, 0);
  });
});

describe('leases in real time', function () {
  for (const limit of [MIB, 10 * MIB, 1000 * MIB])
    it(`keep ${limit / MIB} MiB/s within 3 %, without a burst at the start`, async () => {
      const stalls = new Stalls();
      const { rate, firstTenthOfSecond } = await measure(limit, 2000);
      assertRate(rate / limit, 0.03, stalls.end());
      assert.ok(firstTenthOfSecond <= 1.25 * 0.1 * limit, `${firstTenthOfSecond} bytes in the first 100 ms`);
    });

  it('keep 1 KiB/s and 30 B/s too', async () => {
    for (const limit of [1024, 30]) {
      const stalls = new Stalls();
      const { rate } = await measure(limit, 2000);
      assertRate(rate / limit, 0.1, stalls.end());
    }
  });

  it('do not make up for a time in which nobody asked', async () => {
    const leases = new BottleneckLeases(10 * MIB);
    await leases.next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const startedMs = performance.now();
    let bytes = 0;
    for (let count = 0; count < 10; count++) bytes += await leases.next();
    const seconds = (performance.now() - startedMs) / 1000;
    leases.close();
    assert.ok(bytes <= 10 * MIB * (seconds + 0.021) * 1.05, `${bytes} bytes in ${seconds} s`);
  });

  it('are shared fairly: Jain index of 32 equal transfers at least 0.95', async () => {
    const limiter = new BandwidthLimiter(20 * MIB);
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const spent = Array.from({ length: 32 }, () => 0);
    const transfers = spent.map(async (_, index) => {
      for (;;) spent[index] = (spent[index] ?? 0) + (await limiter.take(64 * 1024, stop.signal));
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    stop.abort();
    await Promise.allSettled(transfers);
    limiter.close();
    const sum = spent.reduce((total, bytes) => total + bytes, 0);
    const jain = sum ** 2 / (spent.length * spent.reduce((total, bytes) => total + bytes ** 2, 0));
    assert.ok(jain >= 0.95, `Jain index ${jain}`);
  });
});

/** Bytes per second granted to one greedy taker, and what it got in the first 100 ms. */
async function measure(limit: number, forMs: number): Promise<{ rate: number; firstTenthOfSecond: number }> {
  const limiter = new BandwidthLimiter(limit);
  const startedMs = performance.now();
  let [bytes, firstTenthOfSecond] = [0, 0];
  for (;;) {
    const lease = await limiter.take(256 * 1024, never);
    const elapsedMs = performance.now() - startedMs;
    bytes += lease;
    if (elapsedMs <= 100) firstTenthOfSecond = bytes;
    if (elapsedMs < forMs) continue;
    limiter.close();
    return { rate: bytes / (elapsedMs / 1000), firstTenthOfSecond };
  }
}
