import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { Client, credentials, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { computeTaskId } from '../../../src/core/task-id.js';
import type { Task__Output } from '../../../src/generated/common/v2/Task.js';
import type { ListLocalTasksResponse__Output } from '../../../src/generated/dfdaemon/v2/ListLocalTasksResponse.js';
import type { StatLocalTaskResponse__Output } from '../../../src/generated/dfdaemon/v2/StatLocalTaskResponse.js';
import type { ListHostsResponse__Output } from '../../../src/generated/scheduler/v2/ListHostsResponse.js';
import { DfdaemonDownload, DfdaemonUpload, Scheduler } from '../../../src/grpc/protos.js';
import { REFUSED_DOWNLOAD_METHODS, REFUSED_UPLOAD_METHODS } from '../../../src/peer/grpc/refused-methods.js';
import { ScriptedScheduler } from '../../scheduler-client/support/scripted-scheduler.js';
import { DaemonProcess } from '../../support/daemon-process.js';
import { downloadTask } from '../../support/download-task.js';
import { Origin } from '../../support/origin.js';
import { useSharedDirectory, useTemporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';
import type { Config } from '../../support/config.js';

const MIB = 1024 * 1024;
const PIECE = 4 * MIB;

/** The answer of a unary call, or its error. */
type Answer<Response> = { error: ServiceError | null; response: Response | undefined };

function answerOf<Response>(
  call: (done: (error: ServiceError | null, response?: Response) => void) => unknown,
): Promise<Answer<Response>> {
  return new Promise((resolve) => call((error, response) => resolve({ error, response })));
}

describe('the gRPC services of a daemon', function () {
  this.timeout(120_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  const daemons: DaemonProcess[] = [];
  const clients: Client[] = [];
  let origin: Origin;
  let daemon: DaemonProcess;

  before(async () => {
    daemon = await DaemonProcess.start(join(shared(), 'daemon'));
  });

  after(() => daemon.end());

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
    await origin.close();
  });

  async function start(name: string, config: Config = {}): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(join(directory(), name), { host: { hostname: name }, ...config });
    daemons.push(daemon);
    return daemon;
  }

  /** One that schedulers may send to the test's origin. */
  function startSeed(): Promise<DaemonProcess> {
    return start('seed', { download: { originAllowList: ['127.0.0.0/8'] } });
  }

  const keep = <C extends Client>(client: C): C => {
    clients.push(client);
    return client;
  };
  const socketOf = ({ socketPath }: DaemonProcess): string => `unix:${socketPath}`;
  const downloads = (daemon: DaemonProcess): InstanceType<typeof DfdaemonDownload> =>
    keep(new DfdaemonDownload(socketOf(daemon), credentials.createInsecure()));
  const uploads = (daemon: DaemonProcess): InstanceType<typeof DfdaemonUpload> =>
    keep(new DfdaemonUpload(`127.0.0.1:${daemon.ports.grpc}`, credentials.createInsecure()));
  const taskIdOf = (): string =>
    computeTaskId({ url: origin.url(), tag: undefined, application: undefined, filteredQueryParams: [] });

  it('tell of tasks, delete them, and know when there is none', async () => {
    origin = await Origin.start(100_000);
    const [local, network, taskId] = [downloads(daemon), uploads(daemon), taskIdOf()];
    for (const each of [local, network]) {
      const { error } = await answerOf<StatLocalTaskResponse__Output>((done) => each.statLocalTask({ taskId }, done));
      assert.equal(error?.code, status.NOT_FOUND);
    }
    await downloadTask(socketOf(daemon), { url: origin.url() });
    for (const each of [local, network]) {
      const { response } = await answerOf<StatLocalTaskResponse__Output>((done) =>
        each.statLocalTask({ taskId }, done),
      );
      assert.equal(response?.contentLength, 100_000);
      assert.ok(response.finishedAt !== null, 'finished_at means complete');
      assert.deepEqual([response.uploadingCount, response.uploadedCount], [0, 0]);
    }
    const http = `http://127.0.0.1:${daemon.ports.http}/download/${taskId.slice(0, 3)}/${taskId}?peerId=child`;
    for (const range of ['bytes=0-99', 'bytes=100-']) await (await fetch(http, { headers: { range } })).arrayBuffer();
    await until('both uploads to be counted', async () => {
      const { response } = await answerOf<StatLocalTaskResponse__Output>((done) =>
        network.statLocalTask({ taskId }, done),
      );
      return response?.uploadingCount === 0 && response.uploadedCount === 2;
    });
    const listed = await answerOf<ListLocalTasksResponse__Output>((done) => local.listLocalTasks({}, done));
    assert.equal(listed.response?.tasks.filter((task) => task.taskId === taskId).length, 1);
    await until('the scheduler to know it', async () => {
      const { response } = await answerOf<Task__Output>((done) => local.statTask({ taskId }, done));
      return response?.id === taskId && response.contentLength === 100_000;
    });
    const entries = await answerOf((done) => local.listTaskEntries({ taskId, url: origin.url() }, done));
    assert.equal(entries.error?.code, status.UNIMPLEMENTED);
    assert.match(entries.error.details, /no directories/);

    assert.equal((await answerOf((done) => local.deleteLocalTask({ taskId }, done))).error, null);
    assert.equal((await answerOf((done) => local.statLocalTask({ taskId }, done))).error?.code, status.NOT_FOUND);
    assert.equal((await answerOf((done) => local.deleteLocalTask({ taskId }, done))).error?.code, status.NOT_FOUND);
    await downloadTask(socketOf(daemon), { url: origin.url() });
    // As a scheduler does it for a manager's job; on loopback, ours counts as one.
    assert.equal((await answerOf((done) => network.deleteTask({ taskId }, done))).error, null);
    assert.equal((await answerOf((done) => local.statLocalTask({ taskId }, done))).error?.code, status.NOT_FOUND);
  });

  it('leave the digest of a task that a scheduler has a seed download to whoever wants the output, also one of an algorithm that only others know', async () => {
    origin = await Origin.start(100_000);
    const seed = await startSeed();
    const md5 = `md5:${'0'.repeat(32)}`;
    const own = await downloadTask(socketOf(seed), { url: origin.url(), digest: md5 });
    assert.equal(own.status.code, status.INVALID_ARGUMENT);
    const { status: ended } = await downloadTask(`127.0.0.1:${seed.ports.grpc}`, { url: origin.url(), digest: md5 });
    assert.equal(ended.code, status.OK, ended.details);
    assert.equal(origin.contentBytes, 100_000);
  });

  it('have a seed ask the origin as a scheduler tells it to, also for a child that is not to ask it', async () => {
    origin = await Origin.start(100_000);
    const seed = await startSeed();
    const asked = { url: origin.url(), disableBackToSource: true };
    const own = await downloadTask(socketOf(seed), asked);
    assert.match(own.status.details, /the origin is not to be asked/);
    const { status: ended } = await downloadTask(`127.0.0.1:${seed.ports.grpc}`, { ...asked, needBackToSource: true });
    assert.equal(ended.code, status.OK, ended.details);
    assert.equal(origin.contentBytes, 100_000);
  });

  it('send no pieces to a scheduler that passes on a child’s wish for them', async () => {
    origin = await Origin.start(100_000);
    const seed = await startSeed();
    const asked = { url: origin.url(), needPieceContent: true };
    const { messages } = await downloadTask(`127.0.0.1:${seed.ports.grpc}`, asked);
    const contents = messages.flatMap(({ downloadPieceFinishedResponse: told }) => told?.piece ?? []);
    assert.deepEqual(
      contents.map(({ length, content }) => [length, content?.length ?? 0]),
      [[100_000, 0]],
    );
  });

  it('check what they are asked by the rules of the message', async () => {
    origin = await Origin.start(10);
    const request = { taskId: taskIdOf(), remoteIp: 'nonsense' };
    for (const each of [downloads(daemon), uploads(daemon)]) {
      const { error } = await answerOf<StatLocalTaskResponse__Output>((done) => each.statLocalTask(request, done));
      assert.equal(error?.code, status.INVALID_ARGUMENT);
      assert.match(error.details, /StatLocalTaskRequest\.remoteIp: must be an IP address/);
    }
  });

  it('leave the schedulers on DeleteHost', async () => {
    origin = await Origin.start(10);
    const daemon = await start('a');
    const scheduler = keep(new Scheduler(`127.0.0.1:${daemon.ports.scheduler ?? 0}`, credentials.createInsecure()));
    const hosts = async (): Promise<number> =>
      (await answerOf<ListHostsResponse__Output>((done) => scheduler.listHosts({}, done))).response?.hosts.length ?? -1;
    await until('the host to be announced', async () => (await hosts()) === 1);
    assert.equal((await answerOf((done) => downloads(daemon).deleteHost({}, done))).error, null);
    assert.equal(await hosts(), 0);
  });

  it('answer what they do not have with UNIMPLEMENTED and the reason', async () => {
    origin = await Origin.start(10);
    for (const [client, service, methods] of [
      [downloads(daemon), 'dfdaemon.v2.DfdaemonDownload', REFUSED_DOWNLOAD_METHODS],
      [uploads(daemon), 'dfdaemon.v2.DfdaemonUpload', REFUSED_UPLOAD_METHODS],
    ] as const)
      for (const method of methods) {
        const ended = await callRaw(client, `/${service}/${method}`);
        assert.equal(ended.code, status.UNIMPLEMENTED, method);
        assert.match(ended.details, new RegExp(`^${method}: .*standard tasks only`));
      }
  });

  it('give a range as soon as it is there, and fetch the rest in the background with prefetch', async () => {
    origin = await Origin.start(4 * PIECE, { bytesPerSecond: 4 * MIB });
    const outputPath = join(directory(), 'part');
    const range = { start: 10, length: 1000 };
    const { status: ended } = await downloadTask(socketOf(daemon), {
      url: origin.url(),
      range,
      prefetch: true,
      outputPath,
    });
    assert.equal(ended.code, status.OK, ended.details);
    assert.ok((await readFile(outputPath)).equals(origin.content.subarray(10, 1010)));
    const stat = async (): Promise<boolean> => {
      const { response } = await answerOf<StatLocalTaskResponse__Output>((done) =>
        downloads(daemon).statLocalTask({ taskId: taskIdOf() }, done),
      );
      return response?.finishedAt !== null && response?.finishedAt !== undefined;
    };
    assert.equal(await stat(), false, 'the range came before the rest');
    origin.behaviour = {};
    await until('the rest to be fetched', stat);
    assert.equal(origin.contentBytes, origin.content.length);
  });

  it('fetch no more than a range without prefetch', async () => {
    origin = await Origin.start(4 * PIECE);
    await downloadTask(socketOf(daemon), { url: origin.url(), range: { start: 0, length: 10 } });
    assert.equal(origin.contentBytes, PIECE);
  });

  it('announce a small task right after its download, so that another host gets it', async () => {
    origin = await Origin.start(50_000);
    const first = await start('a');
    const second = await start('b', {
      scheduler: { addrs: [`127.0.0.1:${first.ports.scheduler ?? 0}`], embedded: { enable: false } },
    });
    await downloadTask(socketOf(first), { url: origin.url() });
    await until('the scheduler to know it', async () => {
      const { response } = await answerOf<Task__Output>((done) =>
        downloads(first).statTask({ taskId: taskIdOf() }, done),
      );
      return response?.hasAvailablePeer === true || (response?.peerCount ?? 0) > 0;
    });
    const before = origin.contentBytes;
    const { status: ended } = await downloadTask(socketOf(second), { url: origin.url(), disableBackToSource: true });
    assert.equal(ended.code, status.OK, ended.details);
    assert.equal(origin.contentBytes, before);
    assert.equal(await second.metric('dragonfly_client_download_traffic', { type: 'REMOTE_PEER' }), 50_000);
  });
});

describe('a daemon whose scheduler is silent', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();

  it('serves at once, and joins when the scheduler speaks', async () => {
    const held: Socket[] = [];
    const silent = createServer((socket) => held.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const origin = await Origin.start(1000);
    const daemon = await DaemonProcess.start(join(directory(), 'd'), {
      host: { hostname: 'latecomer' },
      scheduler: { addrs: [`127.0.0.1:${port}`], embedded: { enable: false } },
    });
    assert.ok(
      !daemon.output.some((line) => line.includes('scheduler is serving')),
      'it was ready before the scheduler answered',
    );
    const { status: ended } = await downloadTask(`unix:${daemon.socketPath}`, { url: origin.url() });
    assert.equal(ended.code, status.OK, ended.details);
    for (const socket of held) socket.destroy();
    silent.close();
    await once(silent, 'close');
    const scheduler = new ScriptedScheduler();
    scheduler.port = port;
    await scheduler.listen();
    await scheduler.until(() => scheduler.hosts.some(({ host }) => host?.hostname === 'latecomer'));
    assert.equal(await daemon.end(), 0);
    scheduler.kill();
    await origin.close();
  });
});

/** A call with an empty message, to its end. */
function callRaw(client: Client, path: string): Promise<StatusObject> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, asIs, asIs);
    call.on('error', () => undefined).on('data', () => undefined);
    call.once('status', resolve);
    call.write(Buffer.alloc(0));
    call.end();
  });
}
