import assert from 'node:assert/strict';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_QUARANTINED_FILES, Quarantine } from '../../../src/peer/store/quarantine.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

describe('a quarantine whose directory an operator has removed', () => {
  const directory = useTemporaryDirectory();

  it('is empty, and takes the next damaged file', async () => {
    const quarantine = new Quarantine(directory(), () => 7);
    assert.deepEqual(await quarantine.list(), []);
    const damaged = join(directory(), 'damaged');
    await writeFile(damaged, 'bits');
    assert.equal(await quarantine.take('task', (target) => rename(damaged, target)), true);
    assert.deepEqual(await readdir(quarantine.directory), ['7-task']);
    assert.equal((await stat(quarantine.directory)).mode & 0o777, 0o700);
    await rm(quarantine.directory, { recursive: true });
    assert.equal(await quarantine.take('gone', (target) => rename(damaged, target)), false);
  });
});

describe('a quarantine that is full', () => {
  const directory = useTemporaryDirectory();

  it('lets the oldest go for the next, directories too, and knows what each takes on the disk', async () => {
    let nowMs = 5;
    const quarantine = new Quarantine(directory(), () => nowMs);
    const damaged = join(directory(), 'damaged');
    for (; nowMs <= 5 + MAX_QUARANTINED_FILES; nowMs++) {
      await mkdir(damaged);
      await writeFile(join(damaged, 'part'), Buffer.alloc(64 * 1024));
      await quarantine.take('metadata', (target) => rename(damaged, target));
    }
    const kept = await quarantine.list();
    assert.deepEqual(
      kept.map(({ sinceMs }) => sinceMs),
      Array.from({ length: MAX_QUARANTINED_FILES }, (_, index) => 6 + index),
    );
    const [oldest] = kept;
    assert.ok(oldest);
    const found = [oldest.name, join(oldest.name, 'part')].map((name) => stat(join(quarantine.directory, name)));
    const blocks = (await Promise.all(found)).reduce((sum, each) => sum + each.blocks, 0);
    assert.equal(oldest.bytes, 512 * blocks);
  });
});
