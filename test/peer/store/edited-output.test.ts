import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { link, open, readdir, readFile, rm, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { storeTask } from './fill-store.js';

const PIECE = 1024;
const CONTENT = randomBytes(3 * PIECE);
const WHAT = { url: 'http://example.com/file', content: CONTENT, pieceLength: PIECE };
const TASK_ID = computeTaskId({ url: WHAT.url });

describe('an output that is a hard link to the stored file', () => {
  const directory = useTemporaryDirectory();
  let store: TaskStore;
  let output: string;

  beforeEach(async () => {
    store = await openStore();
    const task = await storeTask(store, WHAT);
    output = join(directory(), 'output');
    await link(task.path, output);
  });
  afterEach(() => store.close());

  async function openStore(): Promise<TaskStore> {
    return TaskStore.openDirectory(join(directory(), 'store'), { logger: silentLogger });
  }

  async function edit(): Promise<void> {
    const file = await open(output, 'r+');
    await file.write('edited', 10);
    await file.close();
  }

  async function restart(): Promise<void> {
    await store.close();
    store = await openStore();
  }

  const serves = (): boolean => {
    const view = store.open(TASK_ID);
    view?.release();
    return view !== undefined;
  };

  it('is served as long as nobody touches it', async () => {
    assert.ok(serves());
    await restart();
    assert.ok(await store.settled(TASK_ID));
    assert.ok(serves());
    await rm(output);
    assert.ok(serves());
    await restart();
    assert.ok(await store.settled(TASK_ID));
    assert.ok(serves());
  });

  it('is not served any more once it was edited, and what is in it stays', async () => {
    assert.ok(serves());
    await edit();
    assert.equal(serves(), false);
    assert.equal(await store.settled(TASK_ID), undefined);
    assert.equal((await readFile(output)).toString('latin1', 10, 16), 'edited');
  });

  it('is not taken for the content by the next client, and the next download writes to another file', async () => {
    const [task] = store.tasks();
    await edit();
    await assert.rejects(
      async () => task?.assertUntouched(),
      (error) => error instanceof DfpeerError && error.code === 'DFP_STORE_DAMAGED',
    );
    assert.equal(await store.settled(TASK_ID), undefined);
    const again = await storeTask(store, WHAT);
    assert.ok(serves());
    assert.deepEqual(await readFile(again.path), CONTENT);
    assert.equal((await readFile(output)).toString('latin1', 10, 16), 'edited');
  });

  it('is not served when it was cut or only touched', async () => {
    await truncate(output, 100);
    assert.equal(serves(), false);
    await store.settled(TASK_ID);
    const task = await storeTask(store, WHAT);
    await utimes(task.path, 1, 1);
    assert.equal(serves(), false);
  });

  for (const [name, change] of [
    ['edited', edit],
    ['cut', () => truncate(output, 100)],
  ] as const)
    it(`is dropped at the start when it was ${name} while the daemon was down, and never written to`, async () => {
      await store.close();
      await change();
      const before = await readFile(output);
      store = await openStore();
      assert.equal(await store.settled(TASK_ID), undefined);
      assert.equal(serves(), false);
      await storeTask(store, WHAT);
      assert.deepEqual(await readFile(output), before);
      assert.deepEqual(await readdir(join(directory(), 'store', 'quarantine')), []);
    });

  it('is dropped at the start when a piece of it is not known any more: the rest would be written to the output', async () => {
    await store.close();
    const metadata = new ClassicLevel(join(directory(), 'store', 'metadata'));
    await metadata.del(`p/${TASK_ID}/0000000001`);
    await metadata.close();
    store = await openStore();
    assert.equal(await store.settled(TASK_ID), undefined);
    assert.deepEqual(await readFile(output), CONTENT);
  });
});
