import assert from 'node:assert/strict';
import type { Clock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { Collector, type CollectorOptions, type GcSettings } from '../../../src/peer/gc/collector.js';
import { ManualClock } from '../../support/manual-clock.js';

const settings: GcSettings = {
  ...{ intervalMs: 1000, taskTtlMs: 3_600_000, thresholdBytes: 0, highPercent: 80, lowPercent: 60 },
};

interface FakeTask {
  taskId: string;
  storedBytes: number;
  lastUsedMs: number;
  pinned: boolean;
}

describe('collections', () => {
  let clock: ManualClock;
  /** By which the time of day was set forward. */
  let setMs: number;
  let tasks: FakeTask[];
  let quarantined: { name: string; bytes: number; sinceMs: number }[];
  /** Of the disk; asked once or twice in each collection. */
  let freeBytes: () => Promise<number>;
  let asked: number;
  let collector: Collector;

  beforeEach(() => {
    clock = new ManualClock();
    [tasks, quarantined, asked, setMs] = [[], [], 0, 0];
    const timeOfDay: Clock = {
      now: () => clock.now() + setMs,
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
    };
    freeBytes = () => Promise.resolve(0);
    collector = new Collector(
      {
        store: {
          tasks: () => tasks,
          get: (id: string) => tasks.find(({ taskId }) => taskId === id),
          remove: async (id: string) => (tasks = tasks.filter(({ taskId }) => taskId !== id)),
          get storedBytes() {
            return tasks.reduce((sum, task) => sum + task.storedBytes, 0);
          },
        },
        quarantine: { list: async () => [...quarantined], remove: async () => void quarantined.shift() },
        ...{ onRemoved: async () => undefined, onCollected: () => undefined, clock: timeOfDay, logger: silentLogger },
        freeBytes: () => (asked++, freeBytes()),
      } as unknown as CollectorOptions,
      settings,
    );
  });

  function hold(bytes: number): void {
    const taskId = computeTaskId({ url: `http://example.com/${tasks.length}` });
    tasks.push({ taskId, storedBytes: bytes, lastUsedMs: clock.now() + setMs, pinned: false });
  }

  /** All promises have settled that wait for nothing else. */
  const settled = (): Promise<void> => new Promise(setImmediate);

  it('take nothing for older than it is because the clock was set forward', async () => {
    freeBytes = () => Promise.resolve(1000);
    quarantined.push({ name: 'damaged', bytes: 1, sinceMs: clock.now() });
    hold(1);
    setMs = 50 * settings.taskTtlMs;
    hold(2);
    await collector.collect();
    assert.deepEqual([tasks.length, quarantined.length], [2, 1]);
    clock.advance(settings.taskTtlMs / 2);
    hold(3);
    clock.advance(settings.taskTtlMs / 2 + 1);
    await collector.collect();
    assert.deepEqual(
      tasks.map(({ storedBytes }) => storedBytes),
      [3],
    );
    assert.equal(quarantined.length, 0);
  });

  it('go by what is free and what is ours, quarantine included, where no capacity is set', async () => {
    hold(20);
    hold(20);
    quarantined.push({ name: 'damaged', bytes: 30, sinceMs: clock.now() });
    freeBytes = () => Promise.resolve(30);
    await collector.collect();
    assert.deepEqual([quarantined.length, tasks.length], [1, 2]);
    // What goes from quarantine is no longer ours then.
    freeBytes = () => Promise.resolve(5);
    await collector.collect();
    assert.deepEqual([quarantined.length, tasks.length], [0, 1]);
  });

  it('come at each interval, also after one that failed, until they are stopped', async () => {
    collector.start();
    freeBytes = () => Promise.reject(new Error('no disk'));
    clock.advance(settings.intervalMs);
    await settled();
    freeBytes = () => Promise.resolve(0);
    hold(10);
    clock.advance(settings.intervalMs);
    await settled();
    assert.equal(tasks.length, 0);
    await collector.stop();
    assert.equal(clock.pendingTimers, 0);
  });

  it('come no more after one that was under way when they were stopped', async () => {
    let answer: (bytes: number) => void = () => undefined;
    freeBytes = () => new Promise((resolve) => (answer = resolve));
    collector.start();
    clock.advance(settings.intervalMs);
    await settled();
    freeBytes = () => Promise.resolve(0);
    const stopped = collector.stop();
    answer(0);
    await stopped;
    assert.equal(clock.pendingTimers, 0);
  });

  it('are not put off by a configuration with the same interval, and not begun by any', async () => {
    collector.configure({ ...settings, intervalMs: 10 });
    assert.equal(clock.pendingTimers, 0);
    collector.configure(settings);
    collector.start();
    clock.advance(settings.intervalMs / 2);
    collector.configure({ ...settings, highPercent: 90 });
    clock.advance(settings.intervalMs / 2);
    await settled();
    assert.ok(asked > 0);
    await collector.stop();
  });
});
