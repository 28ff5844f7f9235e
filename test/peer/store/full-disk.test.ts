import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { useSmallDisk } from '../../support/small-disk.js';
import { storeTask } from './fill-store.js';

const MIB = 1024 * 1024;

const isFull = (error: unknown): boolean =>
  error instanceof DfpeerError && error.code === 'DFP_STORE_FULL' && error.message.includes('free space');

describe('a store on a full disk', () => {
  const disk = useSmallDisk(8);
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
});
