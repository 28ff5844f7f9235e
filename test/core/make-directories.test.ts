import assert from 'node:assert/strict';
import { stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DFDAEMON, run, type ProcessResult } from '../support/daemon-process.js';
import { makeDirectories } from '../../src/core/make-directories.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

describe('directories', () => {
  const directory = useTemporaryDirectory();
  // One that loops hears no other signal.
  const dfdaemon = (...args: string[]): Promise<ProcessResult> =>
    run('timeout', ['-s', 'KILL', '15', process.execPath, DFDAEMON, ...args], { DFPEER_HOME: directory() });

  it('are made with all that lead there, with the mode, also by several at once', async () => {
    const path = join(directory(), 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 10 }, () => makeDirectories(path, 0o700)));
    for (const each of [path, join(directory(), 'a')]) assert.equal((await stat(each)).mode & 0o777, 0o700);
    await makeDirectories(path);
    await makeDirectories('/');
  });

  it('may be links to directories', async () => {
    await symlink(directory(), join(directory(), 'link'));
    await makeDirectories(join(directory(), 'link', 'a'));
    await makeDirectories(join(directory(), 'link'));
  });

  it('are refused where a file has the name, and where nobody can make any', async () => {
    await writeFile(join(directory(), 'file'), '');
    await assert.rejects(makeDirectories(join(directory(), 'file')), { code: 'EEXIST' });
    await assert.rejects(makeDirectories(join(directory(), 'file', 'a')), { code: 'ENOTDIR' });
    for (const path of ['/proc/foo', '/proc/foo/bar']) await assert.rejects(makeDirectories(path), { code: 'ENOENT' });
  });

  for (const [what, config, code] of [
    ['store', 'storage: { dir: /proc/foo }', 'DFP_STORE_IO'],
    ['socket', 'download: { server: { socketPath: /proc/foo/sock } }', 'DFP_LISTEN'],
  ] as const)
    it(`that can't be made for the ${what} end a daemon with ${code}`, async () => {
      const file = join(directory(), 'dfdaemon.yaml');
      await writeFile(file, `${config}\n`);
      const { stderr } = await dfdaemon('-c', file, '--console', '--loopback');
      assert.match(stderr, new RegExp(`/proc/foo.*${code}`));
    });

  it("that can't be made for the log end a daemon with DFP_CONFIG", async () => {
    const { code, stderr } = await dfdaemon('--log-dir', '/proc/foo', '--loopback');
    assert.equal(code, 2);
    assert.match(stderr, /\/proc\/foo.*DFP_CONFIG/);
  });
});
