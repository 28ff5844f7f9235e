import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, truncate } from 'node:fs/promises';
import { silentLogger } from '../../../src/core/logger.js';
import type { StoredTask } from '../../../src/peer/store/stored-task.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { newTask, storePiece, storeTask } from './fill-store.js';

const CONTENT = { url: 'http://example.com/file', content: randomBytes(3000), pieceLength: 1024 };

describe('a task whose data file somebody has removed while the daemon runs', () => {
  const directory = useTemporaryDirectory();
  let store: TaskStore;

  beforeEach(async () => {
    store = await TaskStore.openDirectory(directory(), { logger: silentLogger });
  });
  afterEach(() => store.close());

  async function storePart(): Promise<StoredTask> {
    const task = await store.create(newTask(CONTENT));
    await storePiece(task, CONTENT.content, 0);
    return task;
  }

  it('is dropped as soon as somebody asks for its bytes: its children hear of it', async () => {
    for (const begin of [() => storeTask(store, CONTENT), storePart]) {
      const task = await begin();
      const stopped: string[] = [];
      task.subscribe({ onStopped: ({ code }) => stopped.push(code) });
      await rm(task.path);
      assert.equal(store.open(task.taskId), undefined);
      assert.equal(store.get(task.taskId), undefined);
      assert.deepEqual(stopped, ['DFP_TASK_NOT_FOUND']);
    }
  });

  it('is not gone on with: the next download begins anew', async () => {
    const task = await storePart();
    assert.equal(await store.settled(task.taskId), task);
    await rm(task.path);
    assert.equal(await store.settled(task.taskId), undefined);
    await storeTask(store, CONTENT);
  });

  it('is not gone on with either when the file was cut short', async () => {
    const task = await storePart();
    await truncate(task.path, 1024);
    assert.equal(await store.settled(task.taskId), undefined);
  });
});
