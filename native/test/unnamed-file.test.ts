import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nameFile, openUnnamedFile, SyscallError } from '../index.js';
import { requireNative } from './support.js';

describe('files without a name', () => {
  before(function () {
    requireNative(this);
  });
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'native-test-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('appear with all their bytes when they are named, and never over another file', async function () {
    const file = await openUnnamedFile(directory);
    if (file === undefined) return this.skip();
    const path = join(directory, 'name');
    await file.writeFile('content');
    assert.deepEqual(readdirSync(directory), []);
    await nameFile(file, path);
    assert.equal(readFileSync(path, 'utf8'), 'content');
    await file.close();

    const other = await openUnnamedFile(directory);
    assert.ok(other);
    writeFileSync(join(directory, 'taken'), 'precious');
    await assert.rejects(
      nameFile(other, join(directory, 'taken')),
      (error) => error instanceof SyscallError && error.code === 'EEXIST',
    );
    await other.close();
    assert.equal(readFileSync(join(directory, 'taken'), 'utf8'), 'precious');
    assert.deepEqual(readdirSync(directory).sort(), ['name', 'taken']);
  });

  it('are not had in a directory that is missing', async () => {
    await assert.rejects(openUnnamedFile(join(directory, 'nowhere')), { code: 'ENOENT' });
  });
});
