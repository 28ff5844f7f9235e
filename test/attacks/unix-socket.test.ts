import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Metadata, status } from '@grpc/grpc-js';
import { DaemonProcess, run, type ProcessResult } from '../support/daemon-process.js';
import { downloadTask } from '../support/download-task.js';
import { Origin } from '../support/origin.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import type { Config } from '../support/config.js';

/** Nobody, on every Linux. */
const STRANGER = 65534;
/** Of each daemon, below its test's directory. */
const SOCKET_DIRECTORY = 'd';
const CALLER = join(import.meta.dirname, 'support', 'call-as-somebody.js');

describe('the unix socket of a daemon', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;

  before(async () => {
    origin = await Origin.start(100_000);
  });
  after(() => origin.close());
  beforeEach(() => chmod(directory(), 0o755));

  const call = (fields: object = {}): string => JSON.stringify({ url: origin.url(), ...fields });

  describe('as long as nothing is configured', () => {
    const daemon = useDaemon();

    it('is open to its own user only', async () => {
      assert.equal((await stat(daemon().socketPath)).mode & 0o777, 0o600);
    });

    it('keeps others out', async function () {
      needRoot(this);
      const { stdout } = await asStranger(CALLER, daemon().socketPath, call());
      assert.match(stdout, new RegExp(`^${status.UNAVAILABLE} `));
    });

    it('has files written for its own user, and for root', async () => {
      const outputPath = join(directory(), 'out');
      const { status: ended } = await downloadTask(
        `unix:${daemon().socketPath}`,
        { url: origin.url(), outputPath },
        new Metadata(),
      );
      assert.equal(ended.code, status.OK, ended.details);
      assert.ok((await readFile(outputPath)).equals(origin.content));
    });
  });

  describe('with mode 0666', () => {
    const daemon = useDaemon({ socketMode: '0666' });

    /** A directory that belongs to the stranger. */
    async function makeOwn(): Promise<string> {
      const own = join(directory(), 'own');
      await mkdir(own);
      await chown(own, STRANGER, STRANGER);
      return own;
    }

    it('does not have the daemon write files for another user, wherever', async function () {
      needRoot(this);
      const forbidden = join(directory(), 'forbidden');
      await mkdir(forbidden, { mode: 0o700 });
      const own = await makeOwn();
      await symlink(forbidden, join(own, 'link'));
      const paths = [join(forbidden, 'a'), join(own, 'link', 'b'), join(own, 'c'), '/etc/dfpeer-was-here'];
      for (const outputPath of paths) {
        const { stdout } = await asStranger(CALLER, daemon().socketPath, call({ outputPath }));
        assert.match(stdout, new RegExp(`^${status.PERMISSION_DENIED} .*transfer-from-dfdaemon`), outputPath);
        await assert.rejects(lstat(outputPath), { code: 'ENOENT' });
      }
    });

    it('does not believe a caller who says who it is', async function () {
      needRoot(this);
      const metadata = JSON.stringify({ 'dfpeer-caller': '0:0' });
      const outputPath = join(directory(), 'out');
      const { stdout } = await asStranger(CALLER, daemon().socketPath, call({ outputPath }), metadata);
      assert.match(stdout, new RegExp(`^${status.PERMISSION_DENIED} `));
    });

    it('does not let everybody administrate it', async function () {
      needRoot(this);
      for (const method of ['deleteHost', 'deleteTask', 'deleteLocalTask']) {
        const { stdout } = await asStranger(CALLER, daemon().socketPath, '{}', '{}', method);
        assert.match(stdout, new RegExp(`^${status.PERMISSION_DENIED} .*root and the user of the daemon`), method);
      }
    });

    it('gives another user the bytes all the same: dfget takes them through the socket', async function () {
      needRoot(this);
      const output = join(await makeOwn(), 'out');
      const dfget = join(import.meta.dirname, '..', '..', '..', 'bin', 'dfget');
      const flags = ['--endpoint', daemon().socketPath, origin.url(), '--no-progress', '-O'];
      const got = await asStranger(dfget, ...flags, output);
      assert.equal(got.code, 0, got.stderr);
      assert.ok((await readFile(output)).equals(origin.content));
      assert.equal((await stat(output)).uid, STRANGER);
      const printed = await asStranger(dfget, ...flags, '-');
      assert.equal(printed.code, 0, printed.stderr);
      assert.equal(printed.stdout, origin.content.toString('utf8'));
    });
  });

  describe('as configured otherwise', () => {
    let daemon: DaemonProcess | undefined;

    afterEach(async () => {
      await daemon?.end();
      daemon = undefined;
    });

    async function start(server: Config): Promise<string> {
      daemon = await startDaemon(directory(), server);
      return daemon.socketPath;
    }

    it('has the configured mode and group, and lets the members of the group in', async function () {
      needRoot(this);
      const socketPath = await start({ socketMode: '0660', socketGroup: String(STRANGER) });
      const { mode, gid } = await stat(socketPath);
      assert.deepEqual([mode & 0o777, gid], [0o660, STRANGER]);
      const { stdout } = await asStranger(CALLER, socketPath, call());
      assert.match(stdout, /^0 /, stdout);
    });

    it('takes a group by its name, and a mode without quotes', async function () {
      needRoot(this);
      const name = (await readFile('/etc/group', 'utf8')).split(':')[0] ?? '';
      const socketPath = await start({ socketMode: 660, socketGroup: name });
      assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
    });

    it('is not made for a group that does not exist', async () => {
      await assert.rejects(start({ socketGroup: 'no-such-group' }), /DFP_CONFIG[^]*no-such-group/);
    });

    it('does not replace a file that is no socket, nor follow a link to one', async () => {
      const socketDirectory = join(directory(), SOCKET_DIRECTORY);
      await mkdir(socketDirectory);
      const precious = join(directory(), 'precious');
      await writeFile(precious, 'as it was');
      await symlink(precious, join(socketDirectory, 'dfdaemon.sock'));
      await assert.rejects(start({}), /DFP_LISTEN/);
      assert.equal(await readFile(precious, 'utf8'), 'as it was');
    });
  });
});

/** A daemon whose socket lies where others may look. */
async function startDaemon(parent: string, server: Config): Promise<DaemonProcess> {
  const directory = join(parent, SOCKET_DIRECTORY);
  await chmod(parent, 0o755);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const socketPath = join(directory, 'dfdaemon.sock');
  return DaemonProcess.start(directory, { download: { server: { socketPath, ...server } } });
}

/** One daemon for all tests of a describe(): call inside it. */
function useDaemon(server: Config = {}): () => DaemonProcess {
  const shared = useSharedDirectory();
  let daemon: DaemonProcess | undefined;
  before(async () => {
    daemon = await startDaemon(shared(), server);
  });
  after(() => daemon?.end());
  return () => {
    assert.ok(daemon !== undefined, 'the daemon did not start');
    return daemon;
  };
}

/** The same call by a process of another user and group. */
async function asStranger(program: string, ...args: string[]): Promise<ProcessResult> {
  const identity = [`--reuid=${STRANGER}`, `--regid=${STRANGER}`, '--clear-groups'];
  return run('setpriv', [...identity, process.execPath, program, ...args]);
}

function needRoot(context: Mocha.Context): void {
  if (process.getuid?.() !== 0 || !hasProgram('setpriv')) skipLoudly(context, 'becoming another user needs root');
}
