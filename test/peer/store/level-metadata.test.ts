import assert from 'node:assert/strict';
import { ClassicLevel } from 'classic-level';
import { LevelMetadataStore } from '../../../src/peer/store/level-metadata.js';
import type { LoadedMetadata, StoredPieceRecord, TaskRecord } from '../../../src/peer/store/metadata.js';
import { encodeRecord, pieceKey, taskKey } from '../../../src/peer/store/record-codec.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { newTask } from './fill-store.js';

const TASK: TaskRecord = {
  ...newTask({ url: 'http://example.com/file', content: Buffer.alloc(3), pieceLength: 1 }),
  ...{ createdAtMs: 2, updatedAtMs: 2, lastUsedMs: 2, finishedAtMs: undefined, contentDigest: undefined },
  mark: undefined,
};
const OTHER: TaskRecord = { ...TASK, taskId: newTask({ ...TASK, content: Buffer.alloc(0), url: 'http://e/' }).taskId };

const piece = (number: number, taskCreatedAtMs = TASK.createdAtMs): StoredPieceRecord => ({
  ...{ number, digest: 'crc32:0', parentId: undefined, trafficType: 0, costMs: 1, createdAtMs: 1, taskCreatedAtMs },
});

describe('records of stored tasks', () => {
  const directory = useTemporaryDirectory();

  async function load(): Promise<LoadedMetadata> {
    const metadata = await LevelMetadataStore.open(directory());
    const loaded = await metadata.load();
    await metadata.close();
    return loaded;
  }

  async function write(
    records: readonly (readonly [key: string, value: TaskRecord | StoredPieceRecord])[],
  ): Promise<void> {
    const db = new ClassicLevel(directory());
    await db.batch(records.map(([key, value]) => ({ type: 'put', key, value: encodeRecord(value) })));
    await db.close();
  }

  async function found(): Promise<{ tasks: number; pieces: number[]; damaged: number }> {
    const { tasks, damaged } = await load();
    const pieces = tasks.flatMap((task) => task.pieces.map(({ number }) => number));
    return { tasks: tasks.length, pieces, damaged: damaged.length };
  }

  const own = [
    [taskKey(TASK.taskId), TASK],
    [pieceKey(TASK.taskId, 0), piece(0)],
  ] as const;

  for (const [what, stray] of [
    ['a piece of a former life of its task', [pieceKey(TASK.taskId, 1), piece(1, 1)]],
    ['a piece of no task', [pieceKey(OTHER.taskId, 0), piece(0)]],
    ['a piece under the key of another', [pieceKey(TASK.taskId, 1), piece(2)]],
    ['a task under the key of another', [taskKey(OTHER.taskId), TASK]],
  ] as const)
    it(`are not believed when they are of ${what}, and are gone after that`, async () => {
      await write([...own, stray]);
      assert.deepEqual(await found(), { tasks: 1, pieces: [0], damaged: 1 });
      assert.deepEqual(await found(), { tasks: 1, pieces: [0], damaged: 0 });
    });
});
