import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { DFDAEMON, DaemonProcess, run, type ProcessResult } from '../support/daemon-process.js';
import { useSmallDisk } from '../support/small-disk.js';
import { canMakeNamespaces, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

interface Finding {
  check: string;
  status: 'ok' | 'warn' | 'fail';
  message: string;
  remedy?: string;
}

interface Report {
  version: string;
  ok: boolean;
  findings: Finding[];
}

const LOOPBACK = { ip: '127.0.0.1', port: 0 };

describe('dfdaemon doctor', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let daemon: DaemonProcess | undefined;
  let stranger: Server | undefined;

  afterEach(async () => {
    await daemon?.end();
    stranger?.close();
    [daemon, stranger] = [undefined, undefined];
  });

  async function configure(config: Record<string, unknown>): Promise<string> {
    const file = join(directory(), 'dfdaemon.yaml');
    const base = {
      host: { ip: '127.0.0.1' },
      upload: { server: LOOPBACK },
      storage: { server: { ip: '127.0.0.1', tcpPort: 0, httpPort: 0 } },
      scheduler: { embedded: LOOPBACK },
      metrics: { server: LOOPBACK },
      health: { server: LOOPBACK },
      statusPage: { port: 0 },
    };
    await writeFile(file, stringify({ ...base, ...config }));
    return file;
  }

  async function doctor(args: string[], wrap: string[] = []): Promise<ProcessResult> {
    const [program = process.execPath, ...rest] = [...wrap, process.execPath, DFDAEMON, 'doctor', ...args];
    return run(program, rest, { DFPEER_HOME: directory() });
  }

  async function report(args: string[], wrap?: string[]): Promise<{ code: number } & Report> {
    const { code, stdout, stderr } = await doctor(['--json', ...args], wrap);
    assert.notEqual(stdout, '', stderr);
    return { code, ...(JSON.parse(stdout) as Report) };
  }

  function findingsOf({ findings }: Report, check: string, status: Finding['status']): Finding[] {
    return findings.filter((finding) => finding.check === check && finding.status === status);
  }

  it('takes a daemon that dfget has started for what it is', async () => {
    daemon = await DaemonProcess.start(join(directory(), 'a'), {}, { args: ['--loopback'] });
    const file = await configure({
      host: { ip: '192.0.2.1' },
      download: { server: { socketPath: daemon.socketPath } },
    });
    const { findings } = await report(['-c', file]);
    const reachability = findings.filter(({ check }) => check === 'reachability');
    assert.deepEqual(
      reachability.map(({ status }) => status),
      ['warn'],
    );
    assert.match(reachability[0]?.message ?? '', /serves this machine only \(127\.0\.0\.1\)/);
  });

  it('finds nothing that must be mended beside a running daemon, and says who has the ports', async () => {
    daemon = await DaemonProcess.start(join(directory(), 'a'));
    const { code, stdout, stderr } = await daemon.dfdaemon('doctor', '--json', '--output', directory());
    assert.equal(code, 0, stdout + stderr);
    const found = JSON.parse(stdout) as Report;
    assert.equal(found.ok, true);
    for (const key of ['upload.server.port', 'storage.server.httpPort', 'statusPage.port'])
      assert.ok(
        findingsOf(found, 'ports', 'ok').some(
          ({ message }) => message.startsWith(key) && message.includes(`process ${daemon?.pid ?? 0}`),
        ),
        key,
      );
    const reached = findingsOf(found, 'reachability', 'ok').filter(({ message }) => message.includes('can be reached'));
    assert.equal(reached.length, 4);
    assert.equal(found.findings.filter(({ check }) => check === 'output').length, 1);
    assert.equal(findingsOf(found, 'schedulers', 'ok').length, 1);
  });

  it('wants no log directory of a daemon that logs to stdout, without the flag that says so', async () => {
    const started = await DaemonProcess.start(join(directory(), 'a'));
    daemon = started;
    const ask = (): Promise<ProcessResult> => started.dfdaemon('doctor', '--json', '--log-dir', join(DFDAEMON, 'log'));
    const { code, stdout } = await ask();
    assert.equal(code, 0, stdout);
    await started.end();
    const found = JSON.parse((await ask()).stdout) as Report;
    const [finding] = findingsOf(found, 'directories', 'fail');
    assert.match(finding?.message ?? '', /^log directory: .* is no directory$/);
  });

  it('takes a daemon that a flag sent to a scheduler for what it is, without the flag', async () => {
    daemon = await DaemonProcess.start(join(directory(), 'a'));
    const args = ['--scheduler', `127.0.0.1:${daemon.ports.scheduler ?? 0}`];
    const child = await DaemonProcess.start(
      join(directory(), 'b'),
      { scheduler: { embedded: { enable: null } } },
      { args },
    );
    try {
      const { code, stdout } = await child.dfdaemon('doctor', '--json');
      const found = JSON.parse(stdout) as Report;
      assert.equal(code, 0, stdout);
      assert.deepEqual(
        found.findings.filter(({ check }) => check === 'schedulers').map(({ message }) => message),
        [`the running daemon's scheduler 127.0.0.1:${daemon.ports.scheduler ?? 0} serves`],
      );
      assert.ok(!found.findings.some(({ message }) => message.startsWith('scheduler.embedded.port')));
    } finally {
      await child.end();
    }
  });

  it('really tries sendfile', async () => {
    const found = await report(['-c', await configure({})]);
    const [native] = found.findings.filter(({ check }) => check === 'native');
    const expected = native?.status === 'ok' ? 1 : 0;
    assert.equal(findingsOf(found, 'sendfile', 'ok').length, expected);
  });

  describe('with its store on a full disk', () => {
    const disk = useSmallDisk(4);

    it('asks for room instead of another file system', async () => {
      await disk.fill();
      const storage = { dir: disk.path(), server: { ip: '127.0.0.1', tcpPort: 0, httpPort: 0 } };
      const found = await report(['-c', await configure({ storage })]);
      const [finding] = findingsOf(found, 'sendfile', 'warn');
      assert.match(finding?.message ?? '', /^sendfile could not be tried in .*ENOSPC/);
      assert.equal(finding?.remedy, 'make room there, and run this again');
    });
  });

  it('names file, line and key of a configuration that is wrong', async () => {
    const file = join(directory(), 'dfdaemon.yaml');
    await writeFile(file, 'upload:\n  bandwidthLimit: fast\n');
    const found = await report(['-c', file]);
    assert.deepEqual([found.code, found.ok], [1, false]);
    const [finding] = findingsOf(found, 'config', 'fail');
    assert.match(finding?.message ?? '', /dfdaemon\.yaml:2:19: upload\.bandwidthLimit: expected bytes per second/);
    const { code, stdout } = await doctor(['-c', file]);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL {2}.*upload\.bandwidthLimit/);
  });

  it('names a port that another process has', async () => {
    stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const { port } = stranger.address() as AddressInfo;
    const storage = { server: { ip: '127.0.0.1', tcpPort: 0, httpPort: port } };
    const found = await report(['-c', await configure({ storage })]);
    assert.equal(found.code, 1);
    const [finding, ...others] = findingsOf(found, 'ports', 'fail');
    assert.deepEqual(others, []);
    assert.equal(finding?.message, `storage.server.httpPort: another process listens on port ${port}`);
    assert.match(finding?.remedy ?? '', /set storage\.server\.httpPort to another port/);
  });

  it('does not want a port mended without which the running daemon listens', async () => {
    stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const { port } = stranger.address() as AddressInfo;
    daemon = await DaemonProcess.start(join(directory(), 'a'));
    const own = daemon.ports.http;
    await daemon.writeConfig({ storage: { server: { ip: '127.0.0.1', tcpPort: 0, httpPort: port } } });
    const { code, stdout } = await daemon.dfdaemon('doctor', '--json');
    assert.equal(code, 0, stdout);
    assert.deepEqual(
      findingsOf(JSON.parse(stdout) as Report, 'ports', 'warn').map(({ message }) => message),
      [`storage.server.httpPort: another process listens on port ${port}; the running daemon has port ${own}`],
    );
  });

  it('judges the address that the running daemon announces, although it has not the flags that say so', async () => {
    daemon = await DaemonProcess.start(join(directory(), 'a'), { host: { ip: '192.0.2.1' } });
    await daemon.writeConfig({});
    const { stdout } = await daemon.dfdaemon('doctor', '--json');
    const [finding] = findingsOf(JSON.parse(stdout) as Report, 'reachability', 'warn');
    assert.equal(finding?.message, '192.0.2.1 is announced, and is no address of this machine');
  });

  it('names an address that is not of this machine', async () => {
    const upload = { server: { ip: '192.0.2.77', port: 0 } };
    const found = await report([
      '-c',
      await configure({ upload: { ...upload, server: { ...upload.server, port: 4999 } } }),
    ]);
    const [finding] = findingsOf(found, 'ports', 'fail');
    assert.equal(finding?.message, 'upload.server.port: 192.0.2.77 is no address of this machine');
    assert.match(finding?.remedy ?? '', /set upload\.server\.ip/);
    assert.ok(findingsOf(found, 'reachability', 'warn').length + findingsOf(found, 'reachability', 'fail').length > 0);
  });

  it('names a directory that can only be read', async function () {
    const dir = join(directory(), 'read-only');
    await mkdir(dir);
    const file = await configure({ storage: { dir, server: { ip: '127.0.0.1', tcpPort: 0, httpPort: 0 } } });
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !canMakeNamespaces()) skipLoudly(this, 'root writes everywhere, and may not mount here');
    if (!isRoot) await chmod(dir, 0o555);
    const mount = `mount --bind '${dir}' '${dir}' && mount -o remount,ro,bind '${dir}' && exec "$@"`;
    const found = await report(['-c', file], isRoot ? ['unshare', '-m', 'sh', '-c', mount, 'sh'] : []);
    assert.equal(found.code, 1);
    const [finding] = findingsOf(found, 'directories', 'fail');
    const why = isRoot ? 'is on a read-only file system' : 'may not be written to by this user';
    assert.equal(finding?.message, `storage.dir: ${join(dir, 'dfpeer')} can't be made: ${dir} ${why}`);
    assert.match(finding?.remedy ?? '', /set storage\.dir/);
  });

  it('names a scheduler that is dead', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    const found = await report(['-c', await configure({ scheduler: { addrs: [`127.0.0.1:${port}`] } })]);
    assert.equal(found.code, 1);
    const [finding] = findingsOf(found, 'schedulers', 'fail');
    assert.match(finding?.message ?? '', new RegExp(`scheduler 127\\.0\\.0\\.1:${port} does not answer`));
    assert.match(finding?.remedy ?? '', /check that it runs/);
  });

  it('names a certificate that schedulers can not be asked with, and asks none', async () => {
    const caCert = join(directory(), 'nothing-here.pem');
    const found = await report(['-c', await configure({ scheduler: { addrs: ['127.0.0.1:1'], caCert } })]);
    const failed = found.findings.filter(({ status }) => status === 'fail');
    assert.deepEqual(
      failed.map(({ check }) => check),
      ['certificates'],
    );
    assert.match(failed[0]?.message ?? '', /^scheduler: can't read caCert .*nothing-here\.pem/);
    const [finding] = findingsOf(found, 'schedulers', 'warn');
    assert.match(finding?.message ?? '', /^schedulers were not asked/);
  });

  it('names a manager that is dead', async () => {
    const found = await report(['-c', await configure({ scheduler: {}, manager: { addr: '127.0.0.1:1' } })]);
    const [finding] = findingsOf(found, 'schedulers', 'fail');
    assert.match(finding?.message ?? '', /manager 127\.0\.0\.1:1/);
    assert.match(finding?.remedy ?? '', /manager\.addr/);
  });

  it('names a daemon that hangs, instead of taking its ports for those of a stranger', async () => {
    daemon = await DaemonProcess.start(join(directory(), 'a'));
    const { pid } = daemon;
    await daemon.writeConfig({ upload: { server: { ip: '127.0.0.1', port: daemon.ports.grpc } } });
    daemon.signal('SIGSTOP');
    try {
      const { code, stdout, stderr } = await daemon.dfdaemon('doctor', '--json');
      assert.equal(code, 1, stderr);
      const found = JSON.parse(stdout) as Report;
      const failed = found.findings.filter(({ status }) => status === 'fail');
      assert.deepEqual(
        failed.map(({ check }) => check),
        ['daemon'],
      );
      assert.match(failed[0]?.message ?? '', new RegExp(`process ${pid} that listens on .* does not answer`));
      assert.match(failed[0]?.remedy ?? '', new RegExp(`kill -CONT ${pid}.*kill -KILL ${pid}`));
    } finally {
      daemon.signal('SIGCONT');
    }
  });

  it('leaves nothing behind where it tried to write', async () => {
    const output = join(directory(), 'outputs');
    await mkdir(output);
    const file = await configure({});
    const before = await list(directory());
    await report(['-c', file, '--output', output]);
    assert.deepEqual(await list(directory()), before);
  });
});

async function list(directory: string): Promise<string> {
  return (await run('find', [directory])).stdout;
}
