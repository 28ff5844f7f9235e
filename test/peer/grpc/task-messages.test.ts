import assert from 'node:assert/strict';
import { toWireTask } from '../../../src/peer/grpc/task-messages.js';
import type { TaskStatus } from '../../../src/scheduler-client/index.js';

describe('a task as StatTask passes it on from a scheduler', () => {
  const task: TaskStatus = {
    ...{ taskId: 'id', url: 'http://example.com/', tag: '', application: '', filteredQueryParams: [] },
    ...{ contentLength: 0, pieceCount: 0, state: 'Failed', peerCount: 1, hasAvailablePeer: false },
    ...{ createdAtMs: 0, updatedAtMs: 0 },
  };

  it('tells an unknown length as the scheduler does, which is not that of an empty one', () => {
    assert.equal(toWireTask({ ...task, contentLength: undefined }).contentLength, String(2n ** 64n - 1n));
    assert.equal(toWireTask(task).contentLength, 0);
  });
});
