import assert from 'node:assert/strict';
import fc from 'fast-check';
import { chooseVictims, type CollectableTask } from '../../../src/peer/gc/policy.js';

const policy = { taskTtlMs: 1000, capacityBytes: 1000, highPercent: 80, lowPercent: 60, maxTasks: 20 };
const task = (taskId: string, bytes: number, lastUsedMs: number, pinned = false): CollectableTask => ({
  taskId,
  bytes,
  lastUsedMs,
  pinned,
});
const names = (tasks: CollectableTask[], nowMs: number): string[] =>
  chooseVictims(tasks, policy, nowMs).map((victim) => `${victim.task.taskId}:${victim.reason}`);

describe('garbage collection', () => {
  it('removes what nobody used for the time to live', () => {
    assert.deepEqual(names([task('old', 1, 0), task('new', 1, 900)], 1001), ['old:expired']);
  });

  it('starts above the high mark and stops below the low one, least recently used first', () => {
    const tasks = [task('c', 300, 300), task('a', 300, 100), task('b', 300, 200)];
    assert.deepEqual(names(tasks, 400), ['a:disk']);
    assert.deepEqual(names([task('a', 300, 100), task('b', 300, 200), task('d', 200, 300)], 400), []);
  });

  it('leaves no more tasks than the daemon may have in memory, and says which rule took one', () => {
    const tasks = Array.from({ length: 25 }, (_, index) =>
      task(String(index), index < 3 ? 450 : 0, 10 * index, index === 3),
    );
    assert.deepEqual(names(tasks, 1005), ['0:expired', '1:disk', '2:count', '4:count', '5:count']);
    assert.deepEqual(names(tasks.slice(5), 1005), []);
  });

  it('never takes what is in use', () => {
    assert.deepEqual(names([task('old', 900, 0, true), task('new', 50, 900)], 2000), ['new:expired']);
  });

  it('takes no more than it must, for any tasks', () => {
    const tasks = fc.array(fc.record({ bytes: fc.nat(500), lastUsedMs: fc.nat(2000), pinned: fc.boolean() }), {
      maxLength: 20,
      size: 'max',
    });
    fc.assert(
      fc.property(tasks, (records) => {
        const all = records.map((record, index) => ({ ...record, taskId: String(index) }));
        const victims = chooseVictims(all, policy, 2000);
        const total = all.reduce((sum, each) => sum + each.bytes, 0);
        assert.ok(victims.every((victim) => !victim.task.pinned));
        const forDisk = victims.filter((victim) => victim.reason === 'disk');
        if (total <= 800) assert.equal(forDisk.length, 0);
        const last = forDisk.at(-1);
        if (last !== undefined) {
          const left = total - victims.reduce((sum, victim) => sum + victim.task.bytes, 0);
          assert.ok(left + last.task.bytes > 600);
        }
      }),
    );
  });
});
