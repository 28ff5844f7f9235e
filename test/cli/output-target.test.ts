import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOutput, type OutputTarget } from '../../src/cli/output-target.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('an output that a daemon which asks nothing says it has written', () => {
  const directory = useTemporaryDirectory();
  const path = (): string => join(directory(), 'file');
  const isNotThere = { code: 'DFP_OUTPUT_IO', message: /there is no file of 7 bytes.*--transfer-from-dfdaemon/ };

  async function begin(): Promise<OutputTarget> {
    const flags = { overwrite: true, transferFromDfdaemon: false };
    const target = await openOutput({ kind: 'file', path: path() }, flags, new AbortController().signal);
    target.onBegun?.(false);
    return target;
  }

  it('is taken as it is when it is there', async () => {
    const target = await begin();
    await writeFile(path(), 'content');
    await target.finish(7, undefined);
    await target.discard();
    assert.equal(await readFile(path(), 'utf8'), 'content');
  });

  it('is a failure when nothing is there, or no file', async () => {
    for (const prepare of [async () => undefined, () => mkdir(path())]) {
      const target = await begin();
      await prepare();
      await assert.rejects(target.finish(7, undefined), isNotThere);
    }
  });

  it('is a failure when it has another length, and is removed', async () => {
    const target = await begin();
    await writeFile(path(), 'something else');
    await assert.rejects(target.finish(7, undefined), isNotThere);
    await target.discard();
    assert.deepEqual(await readdir(directory()), []);
  });

  it('is a failure when only an older file is there, which stays', async () => {
    await writeFile(path(), 'older');
    const target = await begin();
    await assert.rejects(target.finish(7, undefined), isNotThere);
    await target.discard();
    assert.equal(await readFile(path(), 'utf8'), 'older');
  });
});
