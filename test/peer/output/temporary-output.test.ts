import assert from 'node:assert/strict';
import fs from 'node:fs';
import promises, { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { nativeSupport } from '../../../native/index.js';
import { TemporaryOutput } from '../../../src/peer/output/temporary-output.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

const { existsSync } = fs;
const { link } = promises;

/** Until the end of the test: without /proc there are no files without a name. */
function pretendNoUnnamedFiles(): void {
  fs.existsSync = (path) => path !== '/proc/self/fd' && existsSync(path);
  syncBuiltinESMExports();
}

function pretendNoHardLinks(): void {
  promises.link = () => Promise.reject(Object.assign(new Error('no hard links here'), { code: 'EPERM' }));
  syncBuiltinESMExports();
}

for (const isNamed of [false, true])
  describe(`an output while it is written, ${isNamed ? 'under another name' : 'without a name'}`, () => {
    const directory = useTemporaryDirectory();
    const names = (): Promise<string[]> => readdir(directory());
    let path: string;

    beforeEach(() => {
      path = join(directory(), 'file');
      if (isNamed) pretendNoUnnamedFiles();
    });
    afterEach(() => {
      Object.assign(fs, { existsSync });
      Object.assign(promises, { link });
      syncBuiltinESMExports();
    });

    async function write(text: string, mode?: number): Promise<TemporaryOutput> {
      const output = await TemporaryOutput.open(path, mode);
      await output.file.writeFile(text);
      return output;
    }

    for (const overwrite of [false, true])
      it(`gets its name when it is complete, ${overwrite ? 'instead of a file' : 'where there is none'}`, async () => {
        if (overwrite) await writeFile(path, 'old');
        const output = await write('new', 0o640);
        const hidden = (await names()).filter((name) => /^\.file\..*\.dfpeer$/.test(name));
        assert.equal(hidden.length, isNamed || !nativeSupport().available ? 1 : 0);
        await output.publish(overwrite);
        await output.discard();
        assert.deepEqual(await names(), ['file']);
        assert.equal(await readFile(path, 'utf8'), 'new');
        assert.equal((await stat(path)).mode & 0o777, 0o640);
      });

    it('is gone when it is discarded', async () => {
      await (await write('half')).discard();
      assert.deepEqual(await names(), []);
    });

    it('takes the place of nothing that appeared meanwhile', async () => {
      const output = await write('new');
      await writeFile(path, 'theirs');
      await assert.rejects(output.publish(false), { code: 'DFP_OUTPUT_EXISTS' });
      await output.discard();
      assert.deepEqual(await names(), ['file']);
      assert.equal(await readFile(path, 'utf8'), 'theirs');
    });

    it('leaves nothing when it can not get its name', async () => {
      await mkdir(path);
      const output = await write('new');
      await assert.rejects(output.publish(true), { code: 'EISDIR' });
      await output.discard();
      assert.deepEqual(await names(), ['file']);
    });

    if (isNamed)
      for (const overwrite of [false, true])
        it(`gets no name when its last bytes could not be written, ${overwrite ? 'and leaves the file that is there' : 'and leaves nothing'}`, async () => {
          if (overwrite) await writeFile(path, 'old');
          const output = await write('new');
          const close = output.file.close.bind(output.file);
          // As NFS does it for what did not fit.
          output.file.close = async () => {
            output.file.close = close;
            await close();
            throw Object.assign(new Error('disk quota exceeded'), { code: 'EDQUOT' });
          };
          await assert.rejects(output.publish(overwrite), { code: 'EDQUOT' });
          await output.discard();
          assert.deepEqual(await names(), overwrite ? ['file'] : []);
          if (overwrite) assert.equal(await readFile(path, 'utf8'), 'old');
        });

    it('gets its name where there are no hard links', async () => {
      pretendNoHardLinks();
      const output = await write('new');
      await output.publish(false);
      await output.discard();
      assert.deepEqual(await names(), ['file']);
      assert.equal(await readFile(path, 'utf8'), 'new');
    });
  });
