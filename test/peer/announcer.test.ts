import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { silentLogger } from '../../src/core/logger.js';
import { PieceLayout } from '../../src/core/piece.js';
import { computeTaskId } from '../../src/core/task-id.js';
import { StoredTaskAnnouncer } from '../../src/peer/announcer.js';
import type { StoredTask } from '../../src/peer/store/stored-task.js';
import type { TaskStore } from '../../src/peer/store/task-store.js';
import type { DaemonSchedulerClient } from '../../src/scheduler-client/index.js';

/** More than an announcement takes from its begin to the moment when nothing of it is left. */
const MICROTASKS = 40;

function completeTask(name: string): StoredTask {
  const url = `http://example.com/${name}`;
  const record = { url, tag: '', application: '', filteredQueryParams: [] };
  const task = { taskId: computeTaskId({ url }), complete: true, layout: new PieceLayout(10, 4), record };
  return task as unknown as StoredTask;
}

describe('announcing stored tasks', () => {
  const [first, second] = [completeTask('first'), completeTask('second')];
  let stored: StoredTask[];
  let announced: string[];
  let announcer: StoredTaskAnnouncer;
  const client = {
    isAnnounced: () => false,
    announceStoredTask: async ({ url }: { url: string }) => void announced.push(url),
  } as unknown as DaemonSchedulerClient;

  function begin(): void {
    stored = [];
    announced = [];
    announcer = new StoredTaskAnnouncer({
      store: { allSettled: async () => undefined, tasks: () => stored } as unknown as TaskStore,
      newPeerId: () => 'peer',
      concurrentPieceCount: 1,
      logger: silentLogger,
    });
  }

  for (const [name, announce, expected] of [
    [
      'a copy that is complete',
      (task: StoredTask) => announcer.announceSoon(client, task),
      [first.record.url, second.record.url],
    ],
    [
      'all, when a scheduler joins',
      (task: StoredTask) => {
        // Of the first round nothing is left to announce: it is over as soon as it can be.
        stored = task === second ? [second] : [];
        announcer.announceAll(client);
      },
      [second.record.url],
    ],
  ] as const)
    it(`forgets none of two wishes to announce ${name}, however shortly after the first the second one comes`, async () => {
      for (let between = 0; between < MICROTASKS; between++) {
        begin();
        announce(first);
        for (let turn = 0; turn < between; turn++) await Promise.resolve();
        announce(second);
        for (let turn = 0; turn < 3; turn++) await nextTurn();
        assert.deepEqual(announced, expected, `${between} microtasks later`);
        await announcer.stop();
      }
    });
});
