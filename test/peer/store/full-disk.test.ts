import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useSmallDisk } from '../../support/small-disk.js';
import { until } from '../../support/until.js';
import { newTask, storeTask } from './fill-store.js';

const MIB = 1024 * 1024;

const isFull = (error: unknown): boolean =>
  error instanceof DfpeerError && error.code === 'DFP_STORE_FULL' && error.message.includes('free space');

describe('a store on a full disk', () => {
  const disk = useSmallDisk(16);
  const directory = (): string => join(disk.path(), 'store');
  const openStore = (): Promise<TaskStore> => TaskStore.openDirectory(directory(), { logger: silentLogger });

  it('does not start, says why, and has all of its tasks once there is space', async () => {
    let store = await openStore();
    for (const name of ['a', 'b'])
      await storeTask(store, { url: `http://example.com/${name}`, content: randomBytes(MIB), pieceLength: MIB });
    await store.close();
    await disk.fill();
    for (let start = 0; start < 2; start++) await assert.rejects(openStore(), isFull);
    await disk.free();
    store = await openStore();
    await store.allSettled();
    assert.deepEqual(
      store.tasks().map(({ complete }) => complete),
      [true, true],
    );
    assert.deepEqual(await readdir(join(directory(), 'quarantine')), []);
    await store.close();
  });

  it('takes records again once there is space, after LevelDB could not make a table', async () => {
    let store = await openStore();
    const header = { padding: 'x'.repeat(32 * 1024) };
    let created = 0;
    const create = async (): Promise<void> => {
      const what = { url: `http://example.com/${created}`, content: Buffer.alloc(4), pieceLength: 4 };
      await store.create({ ...newTask(what), responseHeader: header });
      created++;
    };
    // LevelDB makes a table of what it has in memory when that is 4 MiB.
    while (created * header.padding.length < 3.5 * MIB) await create();
    await disk.fill(2 * MIB);
    await assert.rejects(async () => {
      for (;;) await create();
    }, isFull);
    await assert.rejects(create(), isFull);
    await disk.free();
    await until('a record is taken', async () => {
      const before = created;
      await create().catch(() => undefined);
      return created > before;
    });
    assert.equal(await store.remove(store.tasks()[0]?.taskId ?? assert.fail('no task')), true);
    await store.close();
    store = await openStore();
    await store.allSettled();
    assert.equal(store.tasks().length, created - 1);
    await store.close();
  });
});
