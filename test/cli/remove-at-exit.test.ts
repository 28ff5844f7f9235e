import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../support/daemon-process.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const MODULE = new URL('../../src/cli/remove-at-exit.js', import.meta.url).href;

describe('what is left of unfinished outputs', () => {
  const directory = useTemporaryDirectory();

  it('is removed when the process ends, unless that was called off', async () => {
    await mkdir(join(directory(), 'directory'));
    for (const name of ['file', 'finished', 'directory/content']) await writeFile(join(directory(), name), '');
    const script = `import { removeAtExit } from ${JSON.stringify(MODULE)};
      const [file, finished, directory] = ['file', 'finished', 'directory'].map(removeAtExit);
      finished();
      process.exit(3);`;
    const module = ['--input-type=module', '-e', `process.chdir(${JSON.stringify(directory())}); ${script}`];
    const { code, stderr } = await run(process.execPath, module);
    assert.equal(code, 3, stderr);
    assert.deepEqual(await readdir(directory()), ['finished']);
  });
});
