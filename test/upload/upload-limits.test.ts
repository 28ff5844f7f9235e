import assert from 'node:assert/strict';
import { parseTaskId } from '../../src/core/task-id.js';
import { UploadLimits } from '../../src/upload/upload-limits.js';
import { ManualLeases } from '../bandwidth/support/manual-leases.js';

const TASK_ID = parseTaskId('a'.repeat(64));

describe('the limits of uploads', () => {
  it('keep nothing of a task and of a child once its last upload has ended', () => {
    const sources: ManualLeases[] = [];
    const createLeases = (limit: number): ManualLeases => {
      const source = new ManualLeases(limit);
      sources.push(source);
      return source;
    };
    const limits = new UploadLimits({ perTask: 1000, perChildIp: 500 }, { createLeases });
    const closed = (): boolean[] => sources.map((source) => source.closed);
    const uploads = [limits.allow(TASK_ID, '192.0.2.1'), limits.allow(TASK_ID, '192.0.2.2')];
    assert.deepEqual(closed(), [false, false, false], 'one for each child, and one for the task');
    for (const { release } of uploads) release();
    assert.deepEqual(closed(), [true, true, true]);
  });
});
