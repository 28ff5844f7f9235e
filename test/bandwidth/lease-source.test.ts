import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { BandwidthLimiter } from '../../src/bandwidth/bandwidth-limiter.js';
import { BottleneckLeases } from '../../src/bandwidth/lease-source.js';
import { Stalls, assertRate } from '../support/processors.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
setMaxListeners(0, never);

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

  for (const hours of [-1, 1])
    it(`go on when the machine's clock is set ${hours < 0 ? 'back' : 'ahead'} by an hour, and right again`, async () => {
      const limiter = new BandwidthLimiter(MIB);
      const take = async (forMs: number): Promise<number> => {
        const startedMs = performance.now();
        let bytes = 0;
        while (performance.now() < startedMs + forMs) bytes += await limiter.take(64 * 1024, never);
        return (bytes / (performance.now() - startedMs)) * 1000;
      };
      await take(300);
      const now = Date.now;
      try {
        Date.now = () => now() + hours * 3_600_000;
        await take(1000);
        const stalls = new Stalls();
        assertRate((await take(1000)) / MIB, 0.1, stalls.end());
      } finally {
        Date.now = now;
      }
      await take(1000);
      const stalls = new Stalls();
      assertRate((await take(1000)) / MIB, 0.1, stalls.end());
      limiter.close();
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
