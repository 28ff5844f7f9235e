import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError } from '../../../src/core/errors.js';
import { LevelMetadataStore } from '../../../src/peer/store/level-metadata.js';
import { MAX_LISTENERS } from '../../../src/peer/store/stored-task.js';
import { storePiece } from './fill-store.js';
import { CONTENT, NEW_TASK, PIECE, TASK_ID, useStore } from './use-store.js';

describe('task store', () => {
  const { directory, openStore } = useStore();

  async function recordedTasks(): Promise<unknown[]> {
    const metadata = await LevelMetadataStore.open(join(directory(), 'store', 'metadata'));
    const { tasks } = await metadata.load();
    await metadata.close();
    return tasks;
  }

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

  it('lets those who wait for bytes go, however many come after each other', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await task.beginDownload();
    for (let client = 0; client <= MAX_LISTENERS; client++) {
      const leaving = new AbortController();
      const waiting = task.whenAvailable({ offset: 0, length: 1 }, leaving.signal);
      leaving.abort();
      await assert.rejects(waiting, { code: 'DFP_ABORTED' });
    }
    task.endDownload();
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
    await assert.rejects(stat(task.path), { code: 'ENOENT' });
    assert.deepEqual(
      await readFile(`/proc/self/fd/${served.file.fd}`).then((bytes) => bytes.subarray(0, PIECE)),
      CONTENT.subarray(0, PIECE),
    );
    served.release();
    served.release();
    assert.equal(task.pinCount, 0);
    const openNow = await readlink(`/proc/self/fd/${served.file.fd}`).catch(() => 'closed');
    assert.doesNotMatch(openNow, new RegExp(TASK_ID));
    assert.equal(store.open(TASK_ID), undefined);
    await store.close();
  });

  it('serves the file of a task begun anew, not the one it had open', async () => {
    const store = await openStore();
    await storePiece(await store.create(NEW_TASK), randomBytes(CONTENT.length), 0);
    store.open(TASK_ID)?.release();
    await storePiece(await store.create(NEW_TASK), CONTENT, 0);
    const served = store.open(TASK_ID);
    assert.ok(served);
    const bytes = await readFile(`/proc/self/fd/${served.file.fd}`);
    assert.deepEqual(bytes.subarray(0, PIECE), CONTENT.subarray(0, PIECE));
    served.release();
    await store.close();
  });

  it('writes nothing more of a task that is removed', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await store.remove(TASK_ID);
    await task.setContentDigest(`sha256:${'0'.repeat(64)}`);
    await store.close();
    assert.deepEqual(await recordedTasks(), []);
  });

  it('serves a task whose completion is just being recorded', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    const finished = task.finish();
    const served = store.open(TASK_ID);
    assert.equal(served?.complete, true);
    served.release();
    await finished;
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

  it('reads no file of others by a link that somebody has put in place of its own', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    const secret = join(directory(), 'secret');
    await writeFile(secret, CONTENT);
    await rm(task.path);
    await symlink(secret, task.path);
    assert.equal(store.open(TASK_ID), undefined);
    await assert.rejects(task.digestOnDisk({ offset: 0, length: PIECE }), /ELOOP/);
    await store.close();
  });

  it('takes so many listeners of one task, and no more', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let count = 0; count < MAX_LISTENERS; count++) task.subscribe({});
    assert.throws(() => task.subscribe({}), { code: 'DFP_LIMIT' });
    await store.close();
  });

  it('counts a piece once that two attempts record at the same time, and tells of it once', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    const told: number[] = [];
    task.subscribe({ onPiece: ({ number }) => told.push(number) });
    await Promise.all([storePiece(task, CONTENT, 0), storePiece(task, CONTENT, 0)]);
    assert.deepEqual([task.storedBytes, told], [PIECE, [0]]);
    await store.close();
  });

  it('does not call a task complete that lacks a piece', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await storePiece(task, CONTENT, 0);
    await assert.rejects(task.finish(), (error) => error instanceof DfpeerError && error.code === 'DFP_INTERNAL');
    await store.close();
  });
});
