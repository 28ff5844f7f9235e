import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DfpeerError, type ErrorCode } from '../../../src/core/errors.js';
import { checkOutput, placeOutput } from '../../../src/peer/output/output-file.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

const CONTENT = randomBytes(100_000);
const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof DfpeerError && error.code === code;

describe('output file', () => {
  const directory = useTemporaryDirectory();
  const paths = async (): Promise<{ source: string; path: string }> => {
    const source = join(directory(), 'store');
    await writeFile(source, CONTENT);
    await mkdir(join(directory(), 'out'));
    return { source, path: join(directory(), 'out', 'file') };
  };
  const defaults = { range: undefined, overwrite: false, forceHardLink: false, allowHardLink: true };

  it('is a hard link where that works', async () => {
    const { source, path } = await paths();
    assert.equal(await placeOutput({ ...defaults, source, path }), 'hard-link');
    assert.equal((await stat(path)).ino, (await stat(source)).ino);
    assert.equal(await placeOutput({ ...defaults, source, path }), 'already-there');
    assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
  });

  it('is a copy of its own when hard links are not wanted', async () => {
    const { source, path } = await paths();
    assert.match(await placeOutput({ ...defaults, source, path, allowHardLink: false }), /^(reflink|copy)$/);
    assert.notEqual((await stat(path)).ino, (await stat(source)).ino);
    assert.deepEqual(await readFile(path), CONTENT);
  });

  it('holds only the range', async () => {
    const { source, path } = await paths();
    assert.equal(await placeOutput({ ...defaults, source, path, range: { offset: 10, length: 99_000 } }), 'copy');
    assert.deepEqual(await readFile(path), CONTENT.subarray(10, 99_010));
  });

  it('does not replace a file unless told so, and leaves nothing beside it', async () => {
    const { source, path } = await paths();
    await writeFile(path, 'precious');
    await assert.rejects(placeOutput({ ...defaults, source, path }), hasCode('DFP_OUTPUT_EXISTS'));
    assert.equal(await readFile(path, 'utf8'), 'precious');
    assert.equal(await placeOutput({ ...defaults, source, path, overwrite: true }), 'hard-link');
    assert.deepEqual(await readFile(path), CONTENT);
    assert.deepEqual(await readdir(join(directory(), 'out')), ['file']);
  });

  it('names the directory that is missing', async () => {
    const { source } = await paths();
    const path = join(directory(), 'nowhere', 'file');
    await assert.rejects(
      placeOutput({ ...defaults, source, path }),
      (error) => hasCode('DFP_OUTPUT_IO')(error) && String(error).includes('nowhere'),
    );
    await assert.rejects(checkOutput({ path, overwrite: false }), hasCode('DFP_OUTPUT_IO'));
  });

  it('refuses a hard link to a range', async () => {
    const { source, path } = await paths();
    await assert.rejects(
      placeOutput({ ...defaults, source, path, forceHardLink: true, range: { offset: 0, length: 1 } }),
      hasCode('DFP_HARD_LINK'),
    );
    assert.deepEqual(await readdir(join(directory(), 'out')), []);
  });
});
