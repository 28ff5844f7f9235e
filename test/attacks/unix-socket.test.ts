import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata, status } from '@grpc/grpc-js';
import { DaemonProcess, run, type ProcessResult } from '../support/daemon-process.js';
import { downloadTask } from '../support/download-task.js';
import { Origin } from '../support/origin.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import type { Config } from '../support/config.js';

/** Nobody, on every Linux. */
const STRANGER = 65534;
const CALLER = join(import.meta.dirname, 'support', 'call-as-somebody.js');

describe('the unix socket of a daemon', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemon: DaemonProcess | undefined;

  beforeEach(async () => {
    origin = await Origin.start(100_000);
    await chmod(directory(), 0o755);
  });
  afterEach(async () => {
    await daemon?.end();
    daemon = undefined;
    await origin.close();
  });

  const socketDirectory = (): string => join(directory(), 'd');

  async function start(server: Config = {}): Promise<DaemonProcess> {
    await mkdir(socketDirectory(), { recursive: true, mode: 0o755 });
    const socketPath = join(socketDirectory(), 'dfdaemon.sock');
    daemon = await DaemonProcess.start(socketDirectory(), { download: { server: { socketPath, ...server } } });
    return daemon;
  }

  /** The same call by a process of another user and group. */
  async function asStranger(program: string, ...args: string[]): Promise<ProcessResult> {
    return run('setpriv', [
      `--reuid=${STRANGER}`,
      `--regid=${STRANGER}`,
      '--clear-groups',
      process.execPath,
      program,
      ...args,
    ]);
  }

  function needRoot(context: Mocha.Context): void {
    if (process.getuid?.() !== 0 || !hasProgram('setpriv')) skipLoudly(context, 'becoming another user needs root');
  }

  it('is open to its own user only, unless configured', async () => {
    const { socketPath } = await start();
    assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
  });

  it('keeps others out with mode 0600', async function () {
    needRoot(this);
    const { socketPath } = await start();
    const { stdout } = await asStranger(CALLER, socketPath, JSON.stringify({ url: origin.url() }));
    assert.match(stdout, new RegExp(`^${status.UNAVAILABLE} `));
  });

  it('has the configured mode and group, and lets the members of the group in', async function () {
    needRoot(this);
    const { socketPath } = await start({ socketMode: '0660', socketGroup: String(STRANGER) });
    const { mode, gid } = await stat(socketPath);
    assert.deepEqual([mode & 0o777, gid], [0o660, STRANGER]);
    const { stdout } = await asStranger(CALLER, socketPath, JSON.stringify({ url: origin.url() }));
    assert.match(stdout, /^0 /, stdout);
  });

  it('takes a group by its name, and a mode without quotes', async function () {
    needRoot(this);
    const name = (await readFile('/etc/group', 'utf8')).split(':')[0] ?? '';
    const { socketPath } = await start({ socketMode: 660, socketGroup: name });
    assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
  });

  it('is not made for a group that does not exist', async () => {
    await assert.rejects(start({ socketGroup: 'no-such-group' }), /DFP_CONFIG[^]*no-such-group/);
  });

  it('does not have the daemon write files for another user, wherever', async function () {
    needRoot(this);
    const { socketPath } = await start({ socketMode: '0666' });
    const forbidden = join(directory(), 'forbidden');
    await mkdir(forbidden, { mode: 0o700 });
    const own = join(directory(), 'own');
    await mkdir(own);
    await chown(own, STRANGER, STRANGER);
    await symlink(forbidden, join(own, 'link'));
    const paths = [join(forbidden, 'a'), join(own, 'link', 'b'), join(own, 'c'), '/etc/dfpeer-was-here'];
    for (const outputPath of paths) {
      const { stdout } = await asStranger(CALLER, socketPath, JSON.stringify({ url: origin.url(), outputPath }));
      assert.match(stdout, new RegExp(`^${status.PERMISSION_DENIED} .*transfer-from-dfdaemon`), outputPath);
      await assert.rejects(lstat(outputPath), { code: 'ENOENT' });
    }
  });

  it('does not believe a caller who says who it is', async function () {
    needRoot(this);
    const { socketPath } = await start({ socketMode: '0666' });
    const outputPath = join(directory(), 'out');
    const { stdout } = await asStranger(
      CALLER,
      socketPath,
      JSON.stringify({ url: origin.url(), outputPath }),
      JSON.stringify({ 'dfpeer-caller': '0:0' }),
    );
    assert.match(stdout, new RegExp(`^${status.PERMISSION_DENIED} `));
  });

  it('does not let everybody administrate it', async function () {
    needRoot(this);
    const { socketPath } = await start({ socketMode: '0666' });
    for (const method of ['deleteHost', 'deleteTask', 'deleteLocalTask']) {
      const { stdout } = await asStranger(CALLER, socketPath, JSON.stringify({}), '{}', method);
      assert.match(stdout, new RegExp(`^${status.PERMISSION_DENIED} .*root and the user of the daemon`), method);
    }
  });

  it('gives another user the bytes all the same: dfget takes them through the socket', async function () {
    needRoot(this);
    const { socketPath } = await start({ socketMode: '0666' });
    const own = join(directory(), 'own');
    await mkdir(own);
    await chown(own, STRANGER, STRANGER);
    const output = join(own, 'out');
    const dfget = join(import.meta.dirname, '..', '..', '..', 'bin', 'dfget');
    const got = await asStranger(dfget, '--endpoint', socketPath, origin.url(), '-O', output, '--no-progress');
    assert.equal(got.code, 0, got.stderr);
    assert.ok((await readFile(output)).equals(origin.content));
    assert.equal((await stat(output)).uid, STRANGER);
    const printed = await asStranger(dfget, '--endpoint', socketPath, origin.url(), '-O', '-', '--no-progress');
    assert.equal(Buffer.byteLength(printed.stdout, 'utf8') > 0, true, printed.stderr);
    assert.equal(printed.code, 0, printed.stderr);
  });

  it('writes files for its own user, and for root', async () => {
    const { socketPath } = await start();
    const outputPath = join(directory(), 'out');
    const { status: ended } = await downloadTask(
      `unix:${socketPath}`,
      { url: origin.url(), outputPath },
      new Metadata(),
    );
    assert.equal(ended.code, status.OK, ended.details);
    assert.ok((await readFile(outputPath)).equals(origin.content));
  });

  it('does not replace a file that is no socket, nor follow a link to one', async () => {
    await mkdir(socketDirectory(), { recursive: true });
    const socketPath = join(socketDirectory(), 'dfdaemon.sock');
    const precious = join(directory(), 'precious');
    await writeFile(precious, 'as it was');
    await symlink(precious, socketPath);
    await assert.rejects(start(), /DFP_LISTEN/);
    assert.equal(await readFile(precious, 'utf8'), 'as it was');
  });
});
