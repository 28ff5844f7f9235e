import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, chown, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DaemonProcess, dfget, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useSharedDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;
const SOMEBODY = 65_534;

/** dfget of root: the daemon would write for it, but cannot where dfget can. */
describe('the output of dfget, where its daemon', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  let origin: Origin;
  let daemon: DaemonProcess;
  let out: string;

  before(async function () {
    if (process.getuid?.() !== 0 || !hasProgram('setpriv') || spawnSync('unshare', ['-m', 'true']).status !== 0)
      skipLoudly(this, 'other mounts and other users need root');
    origin = await Origin.start(5 * MIB);
    await chmod(shared(), 0o755);
  });

  after(() => origin?.close());

  /** A daemon in `name`, below which `out` is its output directory. */
  async function start(name: string, wrap: (out: string) => string[]): Promise<void> {
    const directory = join(shared(), name);
    out = join(shared(), `${name}-files`, 'out');
    await mkdir(out, { recursive: true });
    await mkdir(directory);
    await chown(directory, SOMEBODY, SOMEBODY);
    daemon = await DaemonProcess.start(directory, {}, { wrap: wrap(out) });
  }

  const get = (output: string, ...flags: string[]): Promise<ProcessResult> =>
    dfget(['--endpoint', daemon.socketPath, origin.url(), '--no-progress', '-O', output, ...flags], { TMPDIR: out });
  const underMount = (path: string): string[] => [
    ...['unshare', '-m', 'sh', '-c'],
    ...['mount -t tmpfs tmpfs "$0" && exec "$@"', path],
  ];

  for (const [what, name, wrap] of [
    ['sees another directory under its name', 'other', (path: string) => underMount(path)],
    ['sees no directory under its name', 'none', (path: string) => underMount(join(path, '..'))],
    ['is another user’s', 'user', () => ['setpriv', `--reuid=${SOMEBODY}`, `--regid=${SOMEBODY}`, '--clear-groups']],
  ] as [string, string, (path: string) => string[]][])
    describe(what, () => {
      before(() => start(name, wrap));
      after(() => daemon.end());

      it('is the file all the same: dfget takes the bytes through the socket', async () => {
        const got = await get(join(out, 'file'));
        assert.equal(got.code, 0, got.stderr);
        assert.ok((await readFile(join(out, 'file'))).equals(origin.content));
        assert.deepEqual(await readdir(out), ['file']);
      });

      it('is stdout', async () => {
        const before = await readdir(out);
        const got = await get('-', '--range', '0-2');
        assert.equal(got.code, 0, got.stderr);
        assert.equal(got.stdout, origin.content.subarray(0, 3).toString('utf8'));
        assert.deepEqual(await readdir(out), before);
      });

      it('is no hard link, which says so before anything is downloaded', async () => {
        const before = origin.requests.length;
        const got = await get(join(out, 'link'), '--tag', name, '--force-hard-link');
        assert.equal(got.code, 2, got.stderr);
        assert.match(got.stderr, /DFP_OUTPUT_FORBIDDEN/);
        assert.equal(origin.requests.length, before);
        assert.ok(!(await readdir(out)).includes('link'));
      });
    });

  describe('may not write there only when the file is to be placed', () => {
    before(() => start('late', () => ['setpriv', `--reuid=${SOMEBODY}`, `--regid=${SOMEBODY}`, '--clear-groups']));
    after(() => daemon.end());
    beforeEach(() => chmod(out, 0o1777));

    it('is the file all the same where a file of somebody else is to be replaced', async () => {
      await writeFile(join(out, 'old'), 'old');
      const got = await get(join(out, 'old'), '--overwrite');
      assert.equal(got.code, 0, got.stderr);
      assert.ok((await readFile(join(out, 'old'))).equals(origin.content));
      assert.deepEqual(await readdir(out), ['old']);
    });

    it('is the file all the same, or no hard link, where the directory is closed meanwhile', async () => {
      const content = Buffer.alloc(100_000, 'content');
      const server = createServer((_, response) => {
        chmod(out, 0o755).then(
          () => response.setHeader('content-length', content.length).end(content),
          (error: unknown) => response.destroy(error as Error),
        );
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      try {
        const linked = await dfget(['-e', daemon.socketPath, url, '-O', join(out, 'link'), '--force-hard-link']);
        assert.match(linked.stderr, /DFP_HARD_LINK/);
        await chmod(out, 0o1777);
        const got = await dfget(['-e', daemon.socketPath, `${url}again`, '-O', join(out, 'late')]);
        assert.equal(got.code, 0, got.stderr);
        assert.ok((await readFile(join(out, 'late'))).equals(content));
        assert.deepEqual(await readdir(out), ['late', 'old']);
      } finally {
        server.close();
      }
    });
  });
});
