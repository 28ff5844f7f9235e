import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { readLiveTables } from '../../../src/peer/store/live-tables.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

/** Of a manifest. */
const BLOCK_BYTES = 32 * 1024;

describe('the tables that a manifest names', () => {
  const directory = useTemporaryDirectory();
  const manifest = async (): Promise<string> =>
    join(directory(), (await readFile(join(directory(), 'CURRENT'), 'utf8')).trimEnd());
  const tables = async (): Promise<number[]> =>
    (await readdir(directory())).filter((name) => name.endsWith('.ldb')).map((name) => Number.parseInt(name, 10));
  const sorted = (numbers: Iterable<number> | undefined): number[] => [...(numbers ?? [])].sort((a, b) => a - b);

  /** Keys stand in the manifest: long ones make it long. */
  beforeEach(async () => {
    const db = new ClassicLevel(directory(), { writeBufferSize: 64 * 1024, compression: false });
    for (let batch = 0; batch < 60; batch++) {
      const keys = Array.from({ length: 40 }, () => randomBytes(1024).toString('hex'));
      await db.batch(keys.map((key) => ({ type: 'put', key, value: '' })));
    }
    await db.compactRange('', 'g');
    await db.close();
  });

  it('are those that LevelDB keeps', async () => {
    assert.ok((await stat(await manifest())).size > 2 * BLOCK_BYTES, 'with records in several blocks');
    assert.ok((await tables()).length > 0);
    assert.deepEqual(sorted(await readLiveTables(directory())), sorted(await tables()));
  });

  it('are those of the edits that were finished when the last one is cut off', async () => {
    const path = await manifest();
    await truncate(path, (await stat(path)).size - 1);
    const live = await readLiveTables(directory());
    assert.ok(live !== undefined && live.size > 0);
  });

  it('are unknown when it is damaged, missing or not pointed to', async () => {
    const path = await manifest();
    const file = await open(path, 'r+');
    await file.write(Buffer.from([0xff, 0xff]), 0, 2, 20);
    await file.close();
    assert.equal(await readLiveTables(directory()), undefined);
    await rm(path);
    assert.equal(await readLiveTables(directory()), undefined);
    await writeFile(join(directory(), 'CURRENT'), '../elsewhere\n');
    assert.equal(await readLiveTables(directory()), undefined);
    await rm(join(directory(), 'CURRENT'));
    assert.equal(await readLiveTables(directory()), undefined);
  });
});
