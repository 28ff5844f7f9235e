import assert from 'node:assert/strict';
import { getEventListeners, setMaxListeners } from 'node:events';
import fc from 'fast-check';
import { BandwidthLimiter } from '../../src/bandwidth/bandwidth-limiter.js';
import type { LeaseSource } from '../../src/bandwidth/lease-source.js';
import { ManualLeases, manualLimiter } from './support/manual-leases.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
setMaxListeners(0, never);

describe('a bandwidth limiter', () => {
  it('grants everything at once without a limit', async () => {
    const limiter = new BandwidthLimiter(undefined);
    assert.equal(await limiter.take(7 * MIB, never), 7 * MIB);
    assert.equal(limiter.spentBytes, 7 * MIB);
  });

  it('fails whoever waits when its source of leases does', async () => {
    const next = (): Promise<never> => Promise.reject(new Error('no timers'));
    const createLeases = (): LeaseSource => ({ leaseBytes: MIB, next, close: () => undefined });
    const limiter = new BandwidthLimiter(MIB, { createLeases });
    // It is asked anew for whoever comes next.
    for (let turn = 0; turn < 2; turn++) await assert.rejects(limiter.take(1, never), { code: 'DFP_INTERNAL' });
  });

  it('asks for one lease at a time, however many wait', () => {
    let asked = 0;
    const next = (): Promise<number> => (asked++, new Promise(() => undefined));
    const createLeases = (): LeaseSource => ({ leaseBytes: MIB, next, close: () => undefined });
    const limiter = new BandwidthLimiter(MIB, { createLeases });
    for (let count = 0; count < 3; count++) void limiter.take(1, never);
    assert.equal(asked, 1);
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
    void limiter.take(8 * MIB, never, 'soon');
    assert.equal(sources[0]?.askedLeases, 1);
    void limiter.take(8 * MIB, never, 'large');
    limiter.setLimit(2 * MIB);
    assert.equal(sources[1]?.askedLeases, 1);
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

  it('keeps one lease at most of what came for somebody who is gone', async () => {
    const { limiter, sources } = manualLimiter(MIB);
    const controller = new AbortController();
    const gone = limiter.take(8 * MIB, controller.signal, 'large');
    controller.abort();
    await assert.rejects(gone, { code: 'DFP_ABORTED' });
    await sources[0]?.grant();
    assert.equal(await limiter.take(8 * MIB, never), MIB);
  });

  it('moves waiting requests to a new limit, and to none', async () => {
    const { limiter, sources } = manualLimiter(10);
    const waiting = [limiter.take(500, never), limiter.take(500, never), limiter.take(500, never)];
    limiter.setLimit(400);
    assert.equal(sources[0]?.closed, true);
    await sources[0]?.grant();
    assert.equal(limiter.spentBytes, 0, 'the old limiter still grants');
    await sources[1]?.grant();
    assert.equal(await waiting[0], 400);
    limiter.setLimit(undefined);
    assert.deepEqual(await Promise.all(waiting.slice(1)), [500, 500]);
    assert.equal(limiter.spentBytes, 1400);
  });

  it('takes a limit away that it had from the start, and has it again', async () => {
    const { limiter } = manualLimiter(10);
    limiter.setLimit(undefined);
    assert.equal(await limiter.take(500, never), 500);
    limiter.setLimit(1);
    const waiting = limiter.take(500, never);
    assert.equal(limiter.waiting, 1);
    limiter.setLimit(undefined);
    assert.equal(await waiting, 500);
  });

  it('fails nobody who waits for a new limit when the source of the former one fails', async () => {
    let fail: (error: Error) => void = () => undefined;
    const failing = {
      leaseBytes: 1,
      next: () => new Promise<number>((_, reject) => (fail = reject)),
      close: () => undefined,
    };
    const source = new ManualLeases(MIB);
    const limiter = new BandwidthLimiter(1, { createLeases: (limit) => (limit === 1 ? failing : source) });
    const waiting = limiter.take(MIB, never);
    limiter.setLimit(2);
    fail(new Error('closed'));
    await source.grant();
    assert.equal(await waiting, MIB);
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
    const { signal } = new AbortController();
    const patient = limiter.take(10, signal);
    controller.abort();
    await assert.rejects(aborted, { code: 'DFP_ABORTED' });
    await sources[0]?.grant();
    assert.equal(await patient, 10);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.equal(limiter.spentBytes, 10);
    await assert.rejects(limiter.take(1, controller.signal), { code: 'DFP_ABORTED' });
  });

  it('refuses requests beyond its bound, and all once it is closed', async () => {
    const { limiter, sources } = manualLimiter(10, 2);
    const waiting = [limiter.take(1, never), limiter.take(1, never)];
    await assert.rejects(limiter.take(1, never), { code: 'DFP_LIMIT' });
    limiter.close();
    assert.equal(sources[0]?.closed, true);
    for (const request of waiting) await assert.rejects(request, { code: 'DFP_SHUTTING_DOWN' });
    await assert.rejects(limiter.take(1, never), { code: 'DFP_SHUTTING_DOWN' });
  });

  it('refuses a limit that is no positive number', () => {
    for (const limit of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => new BandwidthLimiter(limit), { code: 'DFP_INVALID_ARGUMENT' });
  });

  it('keeps the limit that it has when it is given one that is no positive number', async () => {
    const { limiter, sources } = manualLimiter(10);
    assert.throws(() => limiter.setLimit(0), { code: 'DFP_INVALID_ARGUMENT' });
    const waiting = limiter.take(10, never);
    await sources[0]?.grant();
    assert.equal(await waiting, 10);
  });

  it('grants exactly what the leases hold, whatever is taken, given back, aborted and changed', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            action: fc.constantFrom('take', 'take large', 'grant', 'give back', 'abort', 'limit'),
            n: fc.nat(999),
          }),
          { maxLength: 60, size: 'max' },
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
