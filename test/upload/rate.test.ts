import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { LimitedRoute } from '../../src/upload/index.js';
import { Stalls, assertRate, skipIfStalled } from '../support/processors.js';
import { httpClient, vortexClient } from './support/clients.js';
import { type RunningService, startService } from './support/service.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

/** Counts what arrives at children that read as fast as they can, ask again and again, and never close. */
class Children {
  readonly #perChild: number[];
  #alreadyBytes: number[] = [];
  #stopped = false;
  readonly #done: Promise<unknown>;

  constructor(running: RunningService, count: number) {
    const task = running.source.add({ content: randomBytes(8 * MIB), pieceLength: 8 * MIB });
    this.#perChild = Array.from({ length: count }, () => 0);
    this.#done = Promise.all(
      this.#perChild.map(async (_, index) => {
        const client = index % 2 === 0 ? httpClient : vortexClient;
        while (!this.#stopped) await this.#fetchOnce(client.ask(running, task.taskId, task.layout.slice(0)), index);
      }),
    );
  }

  get allReceive(): boolean {
    return this.#perChild.every((bytes) => bytes > 0);
  }

  /** What arrived until now does not count. */
  startCounting(): void {
    this.#alreadyBytes = [...this.#perChild];
  }

  get receivedBytes(): number {
    return this.#counted().reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Jain's index of what each child got. */
  get fairness(): number {
    const squares = this.#counted().reduce((sum, bytes) => sum + bytes ** 2, 0);
    return this.receivedBytes ** 2 / (this.#perChild.length * squares);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  #counted(): number[] {
    return this.#perChild.map((bytes, index) => bytes - (this.#alreadyBytes[index] ?? 0));
  }

  #fetchOnce(socket: ReturnType<typeof httpClient.ask>, index: number): Promise<void> {
    return new Promise((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        this.#perChild[index] = (this.#perChild[index] ?? 0) + chunk.length;
        if (this.#stopped) socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.once('end', () => socket.end());
      socket.once('close', () => resolve());
      socket.resume();
    });
  }
}

/** The highest rate of any fifth of a second. What came while the process could not run shows when it can again, a moment later. */
async function peakRate(receivers: Children, stalls: Stalls, forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let peak = 0;
  let lastLateMs = stalls.lateMs;
  for (let [fromMs, from, lateMs] = [performance.now(), 0, lastLateMs]; performance.now() < endMs;) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const [toMs, to, lateNowMs] = [performance.now(), receivers.receivedBytes, stalls.lateMs];
    peak = Math.max(peak, ((to - from) / (toMs - fromMs + lateNowMs - lastLateMs)) * 1000);
    [fromMs, from, lastLateMs, lateMs] = [toMs, to, lateMs, lateNowMs];
  }
  return peak;
}

describe('an upload limit as children see it', function () {
  for (const limitedRoute of ['copy', 'paced'] satisfies LimitedRoute[])
    for (const [limit, children] of [
      [20 * MIB, 1],
      [20 * MIB, 32],
    ] as const)
      it(`is kept within 3 % by the ${limitedRoute} route for ${children} at ${limit / MIB} MiB/s, without bursts`, async function () {
        const running = await startService({ rates: { total: limit }, limitedRoute });
        const receivers = new Children(running, children);
        await until('bytes to arrive', () => receivers.allReceive);
        const stalls = new Stalls();
        receivers.startCounting();
        const startedMs = performance.now();
        const peak = await peakRate(receivers, stalls, 2500);
        const rate = receivers.receivedBytes / ((performance.now() - startedMs) / 1000);
        const stalled = stalls.end();
        const { fairness } = receivers;
        await receivers.stop();
        await running.stop();
        skipIfStalled(this, stalled);
        assertRate(rate / limit, 0.03, stalled);
        assert.ok(peak <= 1.3 * limit, `a peak of ${(peak / limit).toFixed(2)} of the limit`);
        assert.ok(fairness >= 0.95 * (1 - stalled), `Jain index ${fairness.toFixed(3)}`);
      });

  it('holds per task and per child on top of the total', async function () {
    const running = await startService({ rates: { total: 100 * MIB, perTask: 8 * MIB, perChildIp: 4 * MIB } });
    const receivers = new Children(running, 4);
    await until('bytes to arrive', () => receivers.allReceive);
    const stalls = new Stalls();
    receivers.startCounting();
    const startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const rate = receivers.receivedBytes / ((performance.now() - startedMs) / 1000);
    const stalled = stalls.end();
    await receivers.stop();
    await running.stop();
    skipIfStalled(this, stalled);
    assertRate(rate / (4 * MIB), 0.05, stalled);
  });
});
