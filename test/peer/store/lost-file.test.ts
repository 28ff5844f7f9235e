import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../src/core/logger.js';
import { openMetadata } from '../../../src/peer/store/open-metadata.js';
import { Quarantine } from '../../../src/peer/store/quarantine.js';
import type { StoredTask } from '../../../src/peer/store/stored-task.js';
import { DiskTaskFiles } from '../../../src/peer/store/task-files.js';
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

describe('a task whose data file can not be read', () => {
  const directory = useTemporaryDirectory();
  let errors: string[];
  let files: DiskTaskFiles;
  let store: TaskStore;

  beforeEach(async () => {
    errors = [];
    const logger = { ...silentLogger, error: ({ err }: { err?: unknown }) => void errors.push(String(err)) };
    const quarantine = new Quarantine(directory());
    files = await DiskTaskFiles.open(directory(), quarantine);
    const metadata = await openMetadata({ directory: join(directory(), 'metadata'), quarantine, logger });
    store = await TaskStore.open({ files, metadata, logger });
  });
  afterEach(() => store.close());

  const fail = (errno: string): never => {
    throw Object.assign(new Error(errno), { code: errno });
  };

  it('stays, and who asks for it hears why; the log once', async () => {
    const task = await storeTask(store, CONTENT);
    const open = files.openForReading.bind(files);
    files.openForReading = () => fail('EMFILE');
    for (let each = 0; each < 3; each++)
      assert.throws(() => store.open(task.taskId), { code: 'DFP_STORE_IO', message: /EMFILE/ });
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? '', /could not open the data file .*EMFILE; raise/);
    files.openForReading = open;
    const served = store.open(task.taskId);
    assert.ok(served, 'it is served again');
    served.release();
  });

  it('stays as well when even an open file tells nothing, as on a file system that has shut itself down', async () => {
    const task = await storeTask(store, CONTENT);
    const open = files.openForReading.bind(files);
    files.openForReading = (taskId) => ({ ...open(taskId), mark: () => fail('EIO') });
    assert.throws(() => store.open(task.taskId), { code: 'DFP_STORE_IO', message: /EIO/ });
    assert.equal(store.get(task.taskId), task);
    assert.equal(task.pinned, false);
  });
});
