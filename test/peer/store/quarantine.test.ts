import assert from 'node:assert/strict';
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Quarantine } from '../../../src/peer/store/quarantine.js';
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
