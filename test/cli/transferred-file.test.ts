import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TransferredFile } from '../../src/cli/transferred-file.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('transferred file', () => {
  const directory = useTemporaryDirectory();
  const path = (): string => join(directory(), 'file');
  const whole = { outputBytes: 6, digest: undefined, overwrite: false };

  async function openWith(...pieces: [content: string, offset: number][]): Promise<TransferredFile> {
    const file = await TransferredFile.open(path());
    for (const [content, offset] of pieces) await file.write(Buffer.from(content), offset);
    return file;
  }

  it('has no name before it is published, and pieces in any order', async () => {
    const file = await openWith(['def', 3], ['abc', 0]);
    const [name, ...others] = await readdir(directory());
    assert.match(name ?? '', /^\.file\..*\.dfpeer$/);
    assert.deepEqual(others, []);
    await file.publish(whole);
    await file.discard();
    assert.deepEqual(await readdir(directory()), ['file']);
    assert.equal(await readFile(path(), 'utf8'), 'abcdef');
  });

  it('keeps nothing of what came before it started over', async () => {
    const file = await openWith(['older and longer', 0]);
    await file.startOver();
    await file.write(Buffer.from('abcdef'), 0);
    const digest = { algorithm: 'sha256', value: createHash('sha256').update('abcdef').digest('hex') } as const;
    await file.publish({ ...whole, digest });
    assert.equal(await readFile(path(), 'utf8'), 'abcdef');
  });

  for (const [what, ...pieces] of [
    ['is too short', ['abc', 0]],
    ['is too long', ['abcdef', 0], ['ghi', 6]],
    ['has a gap', ['abc', 0], ['f', 5]],
    ['is right in length only by a piece that came twice', ['abc', 0], ['abc', 0]],
  ] as [string, ...[string, number][]][])
    it(`is not published when it ${what}`, async () => {
      const file = await openWith(...pieces);
      await assert.rejects(file.publish(whole), { code: 'DFP_TASK_FAILED', message: /, which has 6;/ });
      await file.discard();
      assert.deepEqual(await readdir(directory()), []);
    });

  it('says what became of it when somebody has removed it meanwhile', async () => {
    const file = await openWith(['abcdef', 0]);
    const [name] = await readdir(directory());
    await rm(join(directory(), name ?? ''));
    const digest = { algorithm: 'sha256', value: '0'.repeat(64) } as const;
    await assert.rejects(file.publish({ ...whole, digest }), {
      code: 'DFP_OUTPUT_IO',
      message: /could not write .*ENOENT/,
    });
    await file.discard();
    assert.deepEqual(await readdir(directory()), []);
  });

  it('is not published with another digest', async () => {
    const file = await openWith(['abcdef', 0]);
    const digest = { algorithm: 'sha256', value: '0'.repeat(64) } as const;
    await assert.rejects(file.publish({ ...whole, digest }), { code: 'DFP_DIGEST_MISMATCH' });
    await file.discard();
    assert.deepEqual(await readdir(directory()), []);
  });

  it('keeps a file that appeared meanwhile, unless it is to be replaced', async () => {
    for (const overwrite of [false, true]) {
      const file = await openWith(['abcdef', 0]);
      await writeFile(path(), 'precious');
      const published = file.publish({ ...whole, overwrite });
      if (overwrite) await published;
      else await assert.rejects(published, { code: 'DFP_OUTPUT_EXISTS' });
      await file.discard();
      assert.deepEqual(await readdir(directory()), ['file']);
      assert.equal(await readFile(path(), 'utf8'), overwrite ? 'abcdef' : 'precious');
    }
  });
});
