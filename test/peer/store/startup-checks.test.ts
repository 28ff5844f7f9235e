import assert from 'node:assert/strict';
import { parseTaskId, type TaskId } from '../../../src/core/task-id.js';
import { MAX_CONCURRENT_CHECKS, StartupChecks } from '../../../src/peer/store/startup-checks.js';

const taskId = (index: number): TaskId => parseTaskId(String(index).padStart(64, '0'));

describe('checks at the start', () => {
  let checks: StartupChecks;
  let begun: number[];
  let ends: (() => void)[];

  beforeEach(() => {
    [checks, begun, ends] = [new StartupChecks(), [], []];
    for (let index = 0; index < MAX_CONCURRENT_CHECKS + 2; index++)
      checks.add(taskId(index), () => {
        begun.push(index);
        return new Promise<void>((resolve) => ends.push(resolve));
      });
  });

  it('run a few at a time, and out of turn where somebody waits for one', async () => {
    assert.equal(begun.length, MAX_CONCURRENT_CHECKS);
    const last = MAX_CONCURRENT_CHECKS + 1;
    const settled = checks.settled(taskId(last));
    assert.equal(begun.at(-1), last);
    ends.at(-1)?.();
    await settled;
    assert.equal(begun.includes(last - 1), false);
  });

  it('that have not begun never do once they are stopped', async () => {
    const stopped = checks.stop();
    for (const end of ends) end();
    await stopped;
    assert.equal(begun.length, MAX_CONCURRENT_CHECKS);
  });
});
