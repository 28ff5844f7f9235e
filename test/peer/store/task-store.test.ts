import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmod,
  open,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
  mkdir,
} from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { computeTaskId } from '../../../src/core/task-id.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { LevelMetadataStore } from '../../../src/peer/store/level-metadata.js';
import { MAX_LISTENERS } from '../../../src/peer/store/stored-task.js';
import { newTask, storePiece } from './fill-store.js';

const PIECE = 1024;
const CONTENT = randomBytes(4 * PIECE + 100);
const TASK_ID = computeTaskId({ url: 'http://example.com/file' });

const WHAT = { url: 'http://example.com/file', content: CONTENT, pieceLength: PIECE };
const NEW_TASK = newTask(WHAT);

async function overwrite(path: string, text: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(text, offset);
  await file.close();
}

describe('task store', () => {
  const directory = useTemporaryDirectory();
  const openStore = (): Promise<TaskStore> =>
    TaskStore.openDirectory(join(directory(), 'store'), { logger: silentLogger });

  /** Leaves a store behind as a killed process would: nothing sealed. */
  async function crash(store: TaskStore): Promise<void> {
    for (const task of store.tasks()) task.markRemoved();
    await store.close();
  }

  async function recordedTasks(): Promise<unknown[]> {
    const metadata = await LevelMetadataStore.open(join(directory(), 'store', 'metadata'));
    const { tasks } = await metadata.load();
    await metadata.close();
    return tasks;
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
    assert.equal(found.storedBytes, CONTENT.length);
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
    await overwrite(path, 'lies', 2 * PIECE);
    const reopened = await openStore();
    const found = await reopened.settled(TASK_ID);
    assert.ok(found);
    assert.deepEqual([...found.pieces()].map(({ number }) => number).sort(), [0, 4]);
    assert.equal(found.complete, false);
    await reopened.close();
  });

  it('checks pieces longer than what it reads at once to their last byte, and no further', async () => {
    const pieceLength = 2.5 * 1024 * 1024;
    const content = randomBytes(2 * pieceLength);
    const store = await openStore();
    const task = await store.create(newTask({ ...WHAT, content, pieceLength }));
    await task.beginDownload();
    for (const number of [0, 1]) await storePiece(task, content, number);
    await crash(store);
    const reopened = await openStore();
    assert.equal((await reopened.settled(TASK_ID))?.pieceCount, 2);
    await reopened.close();
  });

  it('does not have pieces again whose bytes had changed, once the file is trusted', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await task.beginDownload();
    for (const number of [0, 1]) await storePiece(task, CONTENT, number);
    await crash(store);
    await overwrite(task.path, 'lies', PIECE);
    for (let start = 0; start < 2; start++) {
      const reopened = await openStore();
      const found = await reopened.settled(TASK_ID);
      assert.deepEqual(
        [...(found?.pieces() ?? [])].map(({ number }) => number),
        [0],
      );
      await reopened.close();
    }
  });

  it('is complete after a kill between the last piece and the record of completion', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await task.beginDownload();
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    await crash(store);
    const reopened = await openStore();
    assert.equal((await reopened.settled(TASK_ID))?.complete, true);
    await reopened.close();
  });

  /** A complete task of a closed store, whose file's time can be given back to it. */
  async function storeDated(): Promise<string> {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let number = 0; number < 5; number++) await storePiece(task, CONTENT, number);
    await utimes(task.path, 1, 1);
    await task.finish();
    await store.close();
    return task.path;
  }

  it('checks a file that stands in place of the one it knew, though size and time are the same', async () => {
    const path = await storeDated();
    // Where the old one still is, the new one is another inode.
    await rename(path, join(directory(), 'old'));
    await writeFile(path, Buffer.concat([Buffer.from('edited'), CONTENT.subarray(6)]));
    await utimes(path, 1, 1);
    const reopened = await openStore();
    assert.equal((await reopened.settled(TASK_ID))?.pieceCount, 4);
    await reopened.close();
  });

  it('checks what looks untouched after a repair of its records: their marks prove nothing', async () => {
    const path = await storeDated();
    await overwrite(path, 'edited', 0);
    await utimes(path, 1, 1);
    await rm(join(directory(), 'store', 'metadata', 'CURRENT'));
    const reopened = await openStore();
    assert.equal((await reopened.settled(TASK_ID))?.pieceCount, 4);
    await reopened.close();
  });

  it('trusts a partial file that it has left in order, until the next download begins', async () => {
    const store = await openStore();
    await storePiece(await store.create(NEW_TASK), CONTENT, 0);
    await store.close();
    const reopened = await openStore();
    const found = await reopened.settled(TASK_ID);
    assert.notEqual(found?.record.mark, undefined);
    await found?.beginDownload();
    assert.equal(found?.record.mark, undefined);
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
    assert.deepEqual(await recordedTasks(), []);
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

  it('forgets a task of unknown length at the next start: there is nothing to go on from', async () => {
    const store = await openStore();
    const { path } = await store.create({ ...NEW_TASK, contentLength: undefined });
    await store.close();
    const reopened = await openStore();
    assert.equal(await reopened.settled(TASK_ID), undefined);
    await reopened.close();
    await assert.rejects(stat(path), { code: 'ENOENT' });
    assert.deepEqual(await recordedTasks(), []);
  });

  it('takes so many listeners of one task, and no more', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    for (let count = 0; count < MAX_LISTENERS; count++) task.subscribe({});
    assert.throws(() => task.subscribe({}), { code: 'DFP_LIMIT' });
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
