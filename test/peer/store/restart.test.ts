import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import promises, { mkdir, open, readdir, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { LevelMetadataStore } from '../../../src/peer/store/level-metadata.js';
import { DiskTaskFiles } from '../../../src/peer/store/task-files.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { newTask, storePiece } from './fill-store.js';
import { CONTENT, NEW_TASK, PIECE, TASK_ID, WHAT, useStore } from './use-store.js';

const { open: realOpen } = promises;

async function overwrite(path: string, text: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(text, offset);
  await file.close();
}

describe('a task store after a restart', () => {
  const { directory, openStore } = useStore();

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

  it('keeps a partial task that it could not check for want of descriptors, for the next start', async () => {
    const store = await openStore();
    const task = await store.create(NEW_TASK);
    await task.beginDownload();
    for (const number of [0, 2]) await storePiece(task, CONTENT, number);
    await crash(store);
    const pretend = (replacement: unknown): void => {
      Object.assign(promises, { open: replacement });
      syncBuiltinESMExports();
    };
    try {
      pretend(() => Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' })));
      const starved = await openStore();
      assert.equal(await starved.settled(TASK_ID), undefined);
      await starved.close();
    } finally {
      pretend(realOpen);
    }
    const reopened = await openStore();
    assert.equal((await reopened.settled(TASK_ID))?.pieceCount, 2);
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

  it('keeps a task that was moved here with its store, though the disk is too full to note that', async () => {
    const path = await storeDated();
    await writeFile(path, CONTENT);
    const metadata = await LevelMetadataStore.open(join(directory(), 'store', 'metadata'));
    metadata.putTask = () => Promise.reject(new DfpeerError('DFP_STORE_FULL', 'no space left'));
    const files = await DiskTaskFiles.open(join(directory(), 'store'));
    const full = await TaskStore.open({ files, metadata, logger: silentLogger });
    assert.equal((await full.settled(TASK_ID))?.complete, true);
    await full.close();
    const reopened = await openStore();
    assert.equal((await reopened.settled(TASK_ID))?.complete, true);
    await reopened.close();
  });

  it('does not read again what looks untouched, but after a repair of its records: then marks prove nothing', async () => {
    const path = await storeDated();
    await overwrite(path, 'edited', 0);
    await utimes(path, 1, 1);
    const trusting = await openStore();
    assert.equal((await trusting.settled(TASK_ID))?.pieceCount, 5);
    await trusting.close();
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
    assert.equal((await readdir(join(directory(), 'store', 'quarantine'))).length, 1);
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
