import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, open, readFile, rm, stat, symlink, truncate, utimes, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { newTask, storePiece } from './fill-store.js';

const PIECE = 1024;
const CONTENT = randomBytes(4 * PIECE + 100);
const TASK_ID = computeTaskId({ url: 'http://example.com/file' });

const WHAT = { url: 'http://example.com/file', content: CONTENT, pieceLength: PIECE };
const NEW_TASK = newTask(WHAT);

describe('task store', () => {
  const directory = useTemporaryDirectory();
  const openStore = (): Promise<TaskStore> =>
    TaskStore.openDirectory(join(directory(), 'store'), { logger: silentLogger });

  /** Leaves a store behind as a killed process would: nothing sealed. */
  async function crash(store: TaskStore): Promise<void> {
    for (const task of store.tasks()) task.markRemoved();
    await store.close();
  }

  it('keeps a complete task over a restart', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    await task.finish();
    await store.close();
    const reopened = await openStore();
    const found = await reopened.settled(TASK_ID);
    assert.equal(found?.complete, true);
    assert.equal(found.pieceCount, 5);
    assert.deepEqual(found.record.responseHeader, { etag: '"one"' });
    await reopened.close();
  });

  it('gives nobody a task that is removed while its file is looked at', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    await task.finish();
    const found = store.settled(TASK_ID);
    await Promise.resolve();
    const removed = store.remove(TASK_ID);
    assert.equal(await found, undefined);
    assert.equal(await removed, true);
    await store.close();
  });

  it('keeps verified pieces of a partial task over a kill, and drops those whose bytes changed', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await task.beginDownload();
    for (const number of [0, 2, 4]) await storePiece(task, CONTENT, number);
    const { path } = task;
    await crash(store);
    const file = await open(path, 'r+');
    await file.write(Buffer.from('lies'), 0, 4, 2 * PIECE);
    await file.close();
    const reopened = await openStore();
    const found = await reopened.settled(TASK_ID);
    assert.ok(found);
    assert.deepEqual([...found.pieces()].map(({ number }) => number).sort(), [0, 4]);
    assert.equal(found.complete, false);
    await reopened.close();
  });

  it('makes a complete task partial again when its file was edited behind its back', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    await task.finish();
    const { path } = task;
    await store.close();
    await writeFile(path, Buffer.concat([Buffer.from('edited'), CONTENT.subarray(6)]));
    await utimes(path, 1, 1);
    const reopened = await openStore();
    const found = await reopened.settled(TASK_ID);
    assert.equal(found?.complete, false);
    assert.equal(found.piece(0), undefined);
    assert.equal(found.pieceCount, 4);
    await reopened.close();
  });

  it('quarantines a truncated file and forgets its task', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    const { path } = task;
    await store.close();
    await truncate(path, 10);
    const reopened = await openStore();
    assert.equal(await reopened.settled(TASK_ID), undefined);
    await assert.rejects(stat(path));
    await reopened.close();
    const again = await openStore();
    assert.equal(await again.settled(TASK_ID), undefined);
    await again.close();
  });

  it('quarantines a data file that nobody recorded', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    const { path } = task;
    await store.remove(TASK_ID);
    await store.close();
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, 'foreign');
    const reopened = await openStore();
    assert.equal(reopened.get(TASK_ID), undefined);
    await assert.rejects(stat(path));
    await reopened.close();
  });

  it('drops a record that was tampered with instead of trusting it', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    await storePiece(task, CONTENT, 1);
    await store.close();
    const { ClassicLevel } = await import('classic-level');
    const db = new ClassicLevel(join(directory(), 'store', 'metadata'));
    const key = `p/${TASK_ID}/0000000000`;
    const text = await db.get(key);
    assert.ok(text !== undefined);
    await db.put(key, text.replace('"costMs":1', '"costMs":7'));
    await db.close();
    const reopened = await openStore();
    const found = await reopened.settled(TASK_ID);
    assert.deepEqual(
      [...(found?.pieces() ?? [])].map(({ number }) => number),
      [1],
    );
    await reopened.close();
  });

  it('refuses a second process on the same directory', async () => {
    const store = await openStore();
    await assert.rejects(
      openStore(),
      (error) =>
        error instanceof DfpeerError && error.code === 'DFP_STORE_LOCKED' && error.message.includes('storage.dir'),
    );
    await store.close();
  });

  it('refuses a directory that is a symbolic link', async () => {
    await mkdir(join(directory(), 'elsewhere'));
    await symlink(join(directory(), 'elsewhere'), join(directory(), 'store'));
    await assert.rejects(openStore(), (error) => error instanceof DfpeerError && error.code === 'DFP_STORE_UNTRUSTED');
  });

  it('closes its directories to other users', async () => {
    await mkdir(join(directory(), 'store'));
    await chmod(join(directory(), 'store'), 0o755);
    const store = await openStore();
    assert.equal((await stat(join(directory(), 'store'))).mode & 0o777, 0o700);
    await store.close();
  });

  it('lets a reader finish while the task is removed', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    const served = store.open(TASK_ID);
    assert.ok(served);
    assert.equal(task.pinned, true);
    await store.remove(TASK_ID);
    assert.deepEqual(
      await readFile(`/proc/self/fd/${served.file.fd}`).then((bytes) => bytes.subarray(0, PIECE)),
      CONTENT.subarray(0, PIECE),
    );
    served.release();
    served.release();
    assert.equal(task.pinned, false);
    assert.equal(store.open(TASK_ID), undefined);
    await store.close();
  });

  it('does not take the file of a task begun anew for that of the removed one', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    await task.assertUntouched();
    await store.remove(TASK_ID);
    const fresh = await store.create(NEW_TASK);
    assert.equal(fresh.path, task.path);
    await assert.rejects(
      task.assertUntouched(),
      (error) => error instanceof DfpeerError && error.code === 'DFP_TASK_NOT_FOUND',
    );
    await fresh.assertUntouched();
    await store.close();
  });

  it('serves only verified bytes, and wakes who waits for more', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await task.beginDownload();
    const served = store.open(TASK_ID);
    assert.ok(served);
    assert.equal(served.has({ offset: 0, length: 1 }), false);
    const waiting = served.whenAvailable({ offset: PIECE - 10, length: 20 }, new AbortController().signal);
    await storePiece(task, CONTENT, 0);
    assert.equal(served.has({ offset: 0, length: PIECE }), true);
    assert.equal(served.has({ offset: 0, length: PIECE + 1 }), false);
    await storePiece(task, CONTENT, 1);
    await waiting;
    assert.equal(served.has({ offset: 0, length: CONTENT.length + 1 }), false);
    const hopeless = served.whenAvailable({ offset: 3 * PIECE, length: 1 }, new AbortController().signal);
    task.endDownload(new DfpeerError('DFP_ORIGIN_STATUS', 'the origin answered 500'));
    await assert.rejects(hopeless, (error) => error instanceof DfpeerError && error.code === 'DFP_ORIGIN_STATUS');
    await assert.rejects(
      served.whenAvailable({ offset: 3 * PIECE, length: 1 }, new AbortController().signal),
      (error) => error instanceof DfpeerError && error.code === 'DFP_PIECE_NOT_FOUND',
    );
    served.release();
    await store.close();
  });

  it('does not call a task complete that lacks a piece', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    await assert.rejects(task.finish(), (error) => error instanceof DfpeerError && error.code === 'DFP_INTERNAL');
    await store.close();
  });

  it('fetches everything again when all files are gone', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    await task.finish();
    await store.close();
    await rm(join(directory(), 'store', 'content'), { recursive: true });
    const reopened = await openStore();
    assert.equal(await reopened.settled(TASK_ID), undefined);
    await reopened.close();
  });
});
