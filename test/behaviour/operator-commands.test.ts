import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ADMIN, callAdmin } from '../../src/cli/admin-client.js';
import type { Limit__Output } from '../../src/generated/dfpeer/v1/Limit.js';
import type { Transfer__Output } from '../../src/generated/dfpeer/v1/Transfer.js';
import type { Config } from '../support/config.js';
import { DFDAEMON, DaemonProcess, run, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

interface TasksDocument {
  tasks: { id: string; url: string; complete: boolean; storedPieces: number; pinnedBy: string[] }[];
  transfers: { total: number };
}

interface LimitsDocument {
  limits: { name: string; bytesPerSecond?: number; setBy: string; binds: boolean }[];
  caps: { name: string; value: number }[];
}

async function json<Document>(daemon: DaemonProcess, command: string, ...args: string[]): Promise<Document> {
  const result = await daemon.dfdaemon(command, '--json', ...args);
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout) as Document;
}

describe('dfdaemon tasks, peers and limits', function () {
  this.timeout(240_000);
  const directory = useTemporaryDirectory();
  let origin: Origin | undefined;

  afterEach(async () => {
    await origin?.close();
    origin = undefined;
  });

  describe('at one daemon', () => {
    const shared = useSharedDirectory();
    let daemon: DaemonProcess;

    before(async () => {
      const upload = { bandwidthLimit: '7MiB', maxConcurrentTransfers: 77 };
      daemon = await DaemonProcess.start(join(shared(), 'a'), { upload });
    });
    after(() => daemon.end('SIGKILL'));

    it('shows what is stored in tables of 80 columns without colours, and URLs without secrets', async () => {
      origin = await Origin.start(9 * MIB);
      const url = origin.url(`/${'very-long-'.repeat(12)}name.bin?token=hidden`);
      assert.equal((await daemon.dfget(url, '-O', join(directory(), 'out'))).code, 0);
      const { stdout } = await daemon.dfdaemon('tasks');
      assert.match(stdout, /^1 task, 9\.0 MiB\n/);
      assert.match(stdout, /name\.bin\?token=redacted\n/);
      assert.match(stdout, /nothing is being transferred/);
      for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
      assert.ok(!stdout.includes('\u001b') && !stdout.includes('hidden'));
      const { tasks, transfers } = await json<TasksDocument>(daemon, 'tasks');
      assert.deepEqual([tasks[0]?.complete, tasks[0]?.storedPieces, transfers.total], [true, 3, 0]);
    });

    it('removes a task by how its id starts, so that the origin is asked anew', async () => {
      origin = await Origin.start(5 * MIB, { etag: '"old"' });
      const get = (name: string): Promise<ProcessResult> =>
        daemon.dfget(origin?.url('/latest') ?? '', '-O', join(directory(), name));
      assert.equal((await get('one')).code, 0);
      const { tasks } = await json<TasksDocument>(daemon, 'tasks');
      const [latest, ...others] = tasks.filter(({ url }) => url.endsWith('/latest'));
      assert.ok(latest !== undefined && others.length === 0);
      origin.replace(Buffer.alloc(5 * MIB, 'new'), { etag: '"new"' });
      const missing = await daemon.dfdaemon('tasks', '--remove', 'ffffffffffffffff');
      assert.match(missing.stderr, /no task starts with ffffffffffffffff; .*DFP_TASK_NOT_FOUND/);
      const several = await daemon.dfdaemon('tasks', '--remove', '');
      assert.equal(several.code, 2, several.stderr);
      const removed = await daemon.dfdaemon('tasks', '--remove', latest.id.slice(0, 12));
      assert.equal(removed.code, 0, removed.stderr);
      assert.match(removed.stdout, new RegExp(`^removed task ${latest.id} \\(5\\.0 MiB\\) of http:.*/latest\n$`));
      assert.equal((await get('two')).code, 0);
      assert.ok((await readFile(join(directory(), 'two'))).equals(origin.content));
    });

    it('has SIGHUP put the limit of the configuration in force again, and says so in the log', async () => {
      const upload = async (): Promise<Limit__Output | undefined> =>
        (await callAdmin(daemon.socketPath, ADMIN.GetLimits, {})).limits.find(({ name }) => name === 'upload');
      assert.deepEqual([(await upload())?.bytesPerSecond, (await upload())?.setBy], [7 * MIB, 'config']);
      const { limits } = await json<LimitsDocument>(daemon, 'limits', '--upload', '3MiB/s');
      assert.deepEqual(limits[0], { name: 'upload', setBy: 'runtime', binds: true, bytesPerSecond: 3 * MIB });
      daemon.signal('SIGHUP');
      await until('the configuration to count again', async () => (await upload())?.setBy === 'config');
      assert.equal((await upload())?.bytesPerSecond, 7 * MIB);
      await until('the log to say so', async () =>
        daemon.output.some((line) => line.includes('"limitsNoLongerAsSetAtRunTime":["upload"]')),
      );
    });

    it('is found by its socket, as dfget finds it', async () => {
      const { code, stderr } = await run(DFDAEMON, ['tasks', '-e', daemon.socketPath]);
      assert.equal(code, 0, stderr);
    });

    it('names the caps by their keys', async () => {
      const { caps } = await json<LimitsDocument>(daemon, 'limits');
      assert.equal(caps.find(({ name }) => name === 'upload.maxConcurrentTransfers')?.value, 77);
    });

    it('refuses a limit that is none', async () => {
      const wrong = await daemon.dfdaemon('limits', '--upload', 'fast');
      assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
      assert.match(wrong.stderr, /--upload: not a size: "fast"/);
      assert.match((await daemon.dfdaemon('limits', '--upload', '0')).stderr, /write none/);
    });
  });

  describe('at two daemons', () => {
    const daemons: DaemonProcess[] = [];

    afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.end('SIGKILL'))));

    async function start(name: string, config: Config = {}): Promise<DaemonProcess> {
      const daemon = await DaemonProcess.start(join(directory(), name), config);
      daemons.push(daemon);
      return daemon;
    }

    async function startPair(ofChild: Config): Promise<{ parent: DaemonProcess; child: DaemonProcess }> {
      const parent = await start('parent');
      const scheduler = { addrs: [`127.0.0.1:${parent.ports.scheduler ?? 0}`], embedded: { enable: false } };
      return { parent, child: await start('child', { scheduler, ...ofChild }) };
    }

    it('changes the limit of a running upload, which moves over to the other route and back', async () => {
      origin = await Origin.start(64 * MIB);
      const { parent, child } = await startPair({ download: { bandwidthLimit: '2MiB' } });
      const get = (daemon: DaemonProcess, output: string): Promise<ProcessResult> =>
        daemon.dfget(origin?.url() ?? '', '-O', join(directory(), output), '--piece-length', '64MiB');
      assert.equal((await get(parent, 'first')).code, 0);
      const running = get(child, 'second');
      const uploads = async (): Promise<Transfer__Output[]> =>
        (await callAdmin(parent.socketPath, ADMIN.ListTransfers, {})).transfers;
      const travels = (route: string): Promise<void> =>
        until(`the upload to go by ${route}`, async () => (await uploads()).some((upload) => upload.route === route));
      await travels('sendfile');
      const [first] = await uploads();

      assert.equal((await parent.dfdaemon('limits', '--upload', '1MiB')).code, 0);
      await travels('copy');
      const [upload] = await uploads();
      assert.deepEqual([upload?.direction, upload?.reason, upload?.peer], ['upload', 'limited', '127.0.0.1']);
      const table = (await parent.dfdaemon('tasks')).stdout;
      assert.match(table, /up +127\.0\.0\.1 +copy +limited/);
      for (const line of table.split('\n')) assert.ok(line.length <= 80, line);

      const changed = await parent.dfdaemon('limits', '--upload', 'none');
      assert.equal(changed.code, 0, changed.stderr);
      assert.match(changed.stdout, /until the configuration is read again.*upload\.bandwidthLimit/);
      await travels('sendfile');
      const [last] = await uploads();
      assert.equal(last?.startedAtMs, first?.startedAtMs, 'it is one and the same upload');
      await callAdmin(child.socketPath, ADMIN.SetLimits, { download: 0 });
      const { code, stderr } = await running;
      assert.equal(code, 0, stderr);
      assert.ok((await parent.metric('dfpeer_upload_bytes_total', { route: 'sendfile' })) > 0);
      assert.ok((await parent.metric('dfpeer_upload_bytes_total', { route: 'copy' })) > 0);
      assert.equal(await parent.metric('dfpeer_upload_bytes_total'), 64 * MIB);

      const { peers } = await json<{ peers: { address: string; downloadedBytes: number; badPieces: number }[] }>(
        child,
        'peers',
      );
      assert.deepEqual(peers.length, 1);
      assert.deepEqual([peers[0]?.address, peers[0]?.downloadedBytes, peers[0]?.badPieces], ['127.0.0.1', 64 * MIB, 0]);
      assert.match((await child.dfdaemon('peers')).stdout, /127\.0\.0\.1 +64\.0 MiB/);
    });
  });

  it('say when no daemon answers', async () => {
    const config = join(directory(), 'dfdaemon.yaml');
    const socketPath = join(directory(), 'dfdaemon.sock');
    await writeFile(config, stringify({ download: { server: { socketPath } } }));
    const nobody = await run(process.execPath, [DFDAEMON, 'tasks', '-c', config], { DFPEER_HOME: directory() });
    assert.equal(nobody.code, 4);
    assert.match(nobody.stderr, /no daemon answers on .*dfdaemon\.sock.*DFP_DAEMON_UNREACHABLE/);
  });
});
