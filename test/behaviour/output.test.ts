import assert from 'node:assert/strict';
import { spawn, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { DaemonProcess, run, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
const DFGET = fileURLToPath(new URL('../../../bin/dfget', import.meta.url));

describe('the output of dfget', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemon: DaemonProcess;
  let out: string;
  const path = (name = 'file'): string => join(out, name);
  const made = (method: string): Promise<number> => daemon.metric('dfpeer_output_files_total', { method });

  async function start(size: number): Promise<void> {
    origin = await Origin.start(size);
    daemon = await DaemonProcess.start(join(directory(), 'daemon'));
    out = join(directory(), 'out');
    await mkdir(out);
  }

  async function edit(file: string): Promise<void> {
    const handle = await open(file, 'r+');
    await handle.write('edited in place', 100);
    await handle.close();
  }

  afterEach(async () => {
    await daemon.end();
    await origin.close();
  });

  it('is a hard link by default, and a file of its own with --no-hard-link', async () => {
    await start(5 * MIB);
    assert.equal((await daemon.dfget(origin.url(), '-O', path())).code, 0);
    assert.equal((await stat(path())).nlink, 2);
    assert.equal(await made('hard-link'), 1);
    const apart = await daemon.dfget(origin.url(), '-O', path('apart'), '--no-hard-link');
    assert.equal(apart.code, 0, apart.stderr);
    assert.equal((await stat(path('apart'))).nlink, 1);
    assert.ok((await readFile(path('apart'))).equals(origin.content));
    assert.equal((await made('reflink')) + (await made('copy-file-range')) + (await made('copy')), 1);
    const both = await daemon.dfget(origin.url(), '-O', path('x'), '--no-hard-link', '--force-hard-link');
    assert.equal(both.code, 2, both.stderr);
  });

  it('has no permissions that the umask of its user takes, also in place of a hard link', async () => {
    await start(5 * MIB);
    const withUmask = (umask: string, ...args: string[]): Promise<ProcessResult> =>
      run('sh', [
        '-c',
        `umask ${umask} && exec "$@"`,
        'sh',
        process.execPath,
        DFGET,
        '-e',
        daemon.socketPath,
        origin.url(),
        ...args,
      ]);
    for (const [umask, mode, links] of [
      ['022', 0o644, 2],
      ['077', 0o600, 1],
      ['027', 0o640, 1],
    ] as const)
      for (const flags of [[], ['--transfer-from-dfdaemon'], ['--range', '0-9']]) {
        const name = path([umask, ...flags].join(''));
        const got = await withUmask(umask, '-O', name, ...flags);
        assert.equal(got.code, 0, got.stderr);
        const { mode: found, nlink, size } = await stat(name);
        const wanted = { mode, nlink: flags.length === 0 ? links : 1, size: flags.length === 2 ? 10 : 5 * MIB };
        assert.deepEqual({ mode: found & 0o777, nlink, size }, wanted, name);
      }
    const forced = await withUmask('077', '-O', path('forced'), '--force-hard-link');
    assert.equal(forced.code, 0, forced.stderr);
    assert.equal((await stat(path('forced'))).nlink, 3);
    const again = await withUmask('077', '-O', path('forced'));
    assert.equal(again.code, 0, 'it is there already');
  });

  it('may be edited in place without anybody getting the edited bytes', async () => {
    await start(5 * MIB);
    assert.equal((await daemon.dfget(origin.url(), '-O', path())).code, 0);
    const id = /[0-9a-f]{64}/.exec(daemon.output.join('\n'))?.[0] ?? '';
    const url = `http://127.0.0.1:${daemon.ports.http}/download/${id.slice(0, 3)}/${id}`;
    assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(origin.content));
    await edit(path());
    assert.equal((await fetch(url)).status, 404);
    const refused = await daemon.dfget(origin.url(), '-O', path());
    assert.equal(refused.code, 2, 'what is there is no longer the content');
    assert.equal((await daemon.dfget(origin.url(), '-O', path('again'))).code, 0);
    assert.ok((await readFile(path('again'))).equals(origin.content));
    assert.equal((await readFile(path())).toString('latin1', 100, 115), 'edited in place');
    assert.ok(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(origin.content));
  });

  it('is verified by each kind of digest, and told on to others over HTTP', async () => {
    await start(5 * MIB);
    const hex = (algorithm: string): string => createHash(algorithm).update(origin.content).digest('hex');
    const right = [`sha512:${hex('sha512')}`, `crc32:${crc32(origin.content)}`, `sha256:${hex('sha256')}`];
    for (const [index, digest] of right.entries()) {
      const wrong = digest.replace(/.$/, (last) => (last === '1' ? '2' : '1'));
      const refused = await daemon.dfget(origin.url(), '-O', path(`wrong-${index}`), '--digest', wrong);
      assert.equal(refused.code, 6, `${wrong}: ${refused.stderr}`);
      const taken = await daemon.dfget(origin.url(), '-O', path(`right-${index}`), '--digest', digest);
      assert.equal(taken.code, 0, taken.stderr);
    }
    assert.deepEqual((await readdir(out)).sort(), ['right-0', 'right-1', 'right-2']);
    const part = `sha256:${createHash('sha256').update(origin.content.subarray(0, 10)).digest('hex')}`;
    const ranged = await daemon.dfget(origin.url(), '-O', path('part'), '--range', '0-9', '--digest', part);
    assert.equal(ranged.code, 0, ranged.stderr);
    const id = /[0-9a-f]{64}/.exec(daemon.output.join('\n'))?.[0] ?? '';
    const { headers } = await fetch(`http://127.0.0.1:${daemon.ports.http}/download/${id.slice(0, 3)}/${id}`);
    const base64 = Buffer.from(hex('sha256'), 'hex').toString('base64');
    assert.equal(headers.get('content-digest'), `sha-256=:${base64}:`);
  });

  it('goes to another file system, where a hard link that is demanded fails', async function () {
    await start(5 * MIB);
    const other = await mkdtemp('/dev/shm/dfpeer-test-').catch(() => skipLoudly(this, 'there is no /dev/shm'));
    try {
      if ((await stat(other)).dev === (await stat(out)).dev) skipLoudly(this, 'there is only one file system');
      const refused = await daemon.dfget(origin.url(), '-O', join(other, 'file'), '--force-hard-link');
      assert.equal(refused.code, 5);
      assert.match(refused.stderr, /DFP_HARD_LINK/);
      assert.equal((await daemon.dfget(origin.url(), '-O', join(other, 'file'))).code, 0);
      assert.ok((await readFile(join(other, 'file'))).equals(origin.content));
      assert.deepEqual(await readdir(other), ['file']);
    } finally {
      await rm(other, { recursive: true });
    }
  });

  it('is absent when its disk is full or read-only, with a coded reason, whoever writes it', async function () {
    await start(5 * MIB);
    const mountPoint = join(directory(), 'small');
    await mkdir(mountPoint);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mountPoint]).status !== 0)
      skipLoudly(this, 'only root can mount a small file system');
    try {
      for (const flags of [[], ['--transfer-from-dfdaemon']]) {
        const full = await daemon.dfget(origin.url(), '-O', join(mountPoint, 'file'), ...flags);
        assert.equal(full.code, 5, full.stderr);
        assert.match(full.stderr, /DFP_OUTPUT_IO.*|ENOSPC/);
        assert.match(full.stderr, /ENOSPC/);
        assert.deepEqual(await readdir(mountPoint), []);
      }
      const before = origin.requests.length;
      execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
      const readOnly = await daemon.dfget(`${origin.url()}?other`, '-O', join(mountPoint, 'file'));
      assert.equal(readOnly.code, 5, readOnly.stderr);
      assert.match(readOnly.stderr, /EROFS/);
      assert.equal(origin.requests.length, before, 'it was downloaded all the same');
    } finally {
      execFileSync('umount', [mountPoint]);
    }
  });

  for (const victim of ['dfget', 'dfdaemon'] as const)
    it(`is absent or complete when ${victim} is killed while it is made`, async () => {
      await start(96 * MIB);
      assert.equal((await daemon.dfget(origin.url(), '-O', path('first'))).code, 0);
      const dfget = spawn(
        process.execPath,
        [DFGET, origin.url(), '-O', path(), '--endpoint', daemon.socketPath, '--no-hard-link'],
        { stdio: 'ignore' },
      );
      const ended = once(dfget, 'exit');
      const begun = daemon.output.length;
      await until('the second download to be done', async () =>
        daemon.output.slice(begun).some((line) => /the task is stored already|a download is done/.test(line)),
      );
      if (victim === 'dfget') dfget.kill('SIGKILL');
      else await daemon.end('SIGKILL');
      await ended;
      if (victim === 'dfdaemon') await daemon.restart();
      else await daemon.end();
      const names = (await readdir(out)).sort();
      assert.ok(names.length === 1 || names.join() === 'file,first', names.join());
      if (names.includes('file')) assert.ok((await readFile(path())).equals(origin.content));
    });
});
