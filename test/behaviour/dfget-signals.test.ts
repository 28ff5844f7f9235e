import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { INTERRUPTED } from '../../src/cli/summary.js';
import { DaemonProcess, DFGET, run } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('dfget interrupted', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemon: DaemonProcess;
  let out = '';

  before(async () => {
    // One piece after the other: half-way, some are complete.
    daemon = await DaemonProcess.start(join(shared(), 'daemon'), { download: { concurrentPieceCount: 1 } });
  });

  after(() => daemon.end());

  beforeEach(async () => {
    origin = await Origin.start(20 * MIB, { silentAfterBytes: 12 * MIB });
    out = join(directory(), 'out');
    await mkdir(out);
  });

  afterEach(() => origin.close());

  async function startHalfWay(...args: string[]): Promise<{ child: ChildProcess; stderr: () => string }> {
    const child = spawn(process.execPath, [DFGET, '-e', daemon.socketPath, origin.url(), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: directory() },
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.resume();
    await until('some content to come', async () => origin.contentBytes > 10 * MIB);
    return { child, stderr: () => stderr };
  }

  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    for (const flags of [[], ['--transfer-from-dfdaemon']])
      it(`by ${signal} ends with ${exitCode}, leaves nothing, and goes on the next time ${flags.join('')}`, async () => {
        const output = join(out, 'file');
        const { child, stderr } = await startHalfWay('-O', output, ...flags);
        const closed = once(child, 'close');
        child.kill(signal);
        // The kernel sends one to all of a terminal that is closed, and so does its shell, at whatever moment until the end.
        while (signal === 'SIGHUP' && child.kill(signal)) await setImmediate();
        assert.deepEqual(await closed, [exitCode, null]);
        assert.equal(stderr(), `dfget: ${INTERRUPTED}\n`);
        assert.deepEqual(await readdir(out), []);
        const before = origin.contentBytes;
        origin.behaviour = {};
        const again = await daemon.dfget(origin.url(), '-O', output, '--explain');
        assert.equal(again.code, 0, again.stderr);
        assert.ok((await readFile(output)).equals(origin.content));
        assert.ok(origin.contentBytes - before < 20 * MIB, 'what came before was kept');
        assert.match(again.stderr, /^local: /m);
      });

  it('while it writes to stdout leaves no file behind', async () => {
    const before = await readdir(directory());
    const { child } = await startHalfWay('-O', '-');
    const closed = once(child, 'close');
    child.kill('SIGINT');
    assert.deepEqual(await closed, [130, null]);
    assert.deepEqual(await readdir(directory()), before);
  });

  for (const [signal, ...flags] of [['SIGTERM'], ['SIGTERM', '--transfer-from-dfdaemon'], ['SIGKILL']] as const)
    it(`by ${signal} while the reader of stdout takes nothing ends, and leaves no file behind ${flags.join('')}`, async () => {
      origin.behaviour = {};
      const before = await readdir(directory());
      const child = spawn(process.execPath, [DFGET, '-e', daemon.socketPath, origin.url(), '-O', '-', ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, TMPDIR: directory() },
      });
      child.stderr.resume();
      await once(child.stdout, 'readable');
      const ended = once(child, 'exit');
      child.kill(signal);
      assert.deepEqual(await ended, signal === 'SIGTERM' ? [143, null] : [null, signal]);
      assert.deepEqual(await readdir(directory()), before);
      child.stdout.destroy();
    });

  it('twice ends at once, whatever it waits for', async () => {
    const { child } = await startHalfWay('-O', join(out, 'file'));
    daemon.signal('SIGSTOP');
    try {
      const closed = once(child, 'close');
      child.kill('SIGINT');
      child.kill('SIGINT');
      // Node gives signals back to the kernel while it ends: the second one may come then. A shell sees 130 in either case.
      const [code, signal] = (await closed) as [number | null, NodeJS.Signals | null];
      assert.equal(signal === null ? code : 128 + constants.signals[signal], 130);
    } finally {
      daemon.signal('SIGCONT');
    }
  });

  for (const [name, list] of [
    ['a pipe with a name', 'fifo'],
    ['stdin', '-'],
  ] as const)
    it(`while it reads its list from ${name} ends at once`, async () => {
      const fifo = join(directory(), 'fifo');
      execFileSync('mkfifo', [fifo]);
      const child = spawn(process.execPath, [DFGET, '-e', daemon.socketPath, '-O', out, '-i', list], {
        cwd: directory(),
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const closed = once(child, 'close');
      // More than a pipe holds: when it has gone, the list is being read.
      const comment = `# ${'-'.repeat(1024)}\n`.repeat(1024);
      const writer = list === '-' ? child.stdin : createWriteStream(fifo);
      writer.on('error', () => undefined);
      await new Promise((resolve) => writer.write(comment, resolve));
      child.kill('SIGINT');
      assert.deepEqual(await closed, [130, null]);
      assert.equal(stderr, `dfget: ${INTERRUPTED}\n`);
      writer.destroy();
    });

  it('while it reads a netrc file from a pipe that nobody writes ends at once', async () => {
    const fifo = join(directory(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const args = ['-e', daemon.socketPath, origin.url(), '-O', join(out, 'file'), '--netrc-file', fifo];
    // A writer that says nothing: once it has the pipe, so has the reader.
    const child = spawn(process.execPath, [DFGET, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = once(child, 'close');
    const writer = await open(fifo, 'w');
    child.kill('SIGINT');
    assert.deepEqual(await closed, [130, null]);
    assert.equal(stderr, `dfget: ${INTERRUPTED}\n`);
    await writer.close();
  });

  it('by a pipe that closes early says nothing and succeeds', async () => {
    origin.behaviour = {};
    const script = `"${process.execPath}" "${DFGET}" -e "${daemon.socketPath}" "${origin.url()}" -O - --no-progress | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`;
    const { code, stdout, stderr } = await run('bash', ['-c', script]);
    assert.equal(code, 0);
    assert.deepEqual(stdout.trim().split(/\s+/), ['10', '0']);
    assert.equal(stderr, '');
  });
});
