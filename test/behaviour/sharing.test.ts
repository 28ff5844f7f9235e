import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonProcess } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { until } from '../support/until.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const MIB = 1024 * 1024;

describe('two daemons', function () {
  this.timeout(120_000);
  const directory = useTemporaryDirectory();
  let origin: Origin;
  let daemons: DaemonProcess[] = [];

  /** The first one brings the embedded scheduler, the others use it. */
  async function startDaemon(name: string, config: Record<string, unknown> = {}): Promise<DaemonProcess> {
    const first = daemons[0];
    const scheduler =
      first === undefined
        ? {}
        : { scheduler: { addrs: [`127.0.0.1:${first.ports.scheduler ?? 0}`], embedded: { enable: false } } };
    const daemon = await DaemonProcess.start(join(directory(), name), {
      host: { hostname: name },
      ...scheduler,
      ...config,
    });
    daemons.push(daemon);
    return daemon;
  }

  async function get(daemon: DaemonProcess, ...flags: string[]): Promise<Buffer> {
    const output = join(daemon.directory, `output-${Math.random()}`);
    const result = await daemon.dfget(origin.url(), '-O', output, '--no-progress', ...flags);
    assert.equal(result.code, 0, result.stderr);
    return readFile(output);
  }

  afterEach(async () => {
    await Promise.all(daemons.map((daemon) => daemon.end()));
    daemons = [];
    await origin.close();
  });

  it('the second takes every byte from the first, by sendfile', async () => {
    origin = await Origin.start(40 * MIB + 123);
    const a = await startDaemon('a');
    const b = await startDaemon('b');
    assert.ok((await get(a, '--digest', `sha256:${origin.sha256}`)).equals(origin.content));
    const before = origin.contentBytes;
    assert.equal(before, origin.content.length);
    assert.ok((await get(b)).equals(origin.content));
    assert.equal(origin.contentBytes, before, 'the origin was asked for content again');
    assert.equal(await b.metric('dragonfly_client_download_traffic', { type: 'REMOTE_PEER' }), origin.content.length);
    assert.equal(await b.metric('dragonfly_client_download_traffic', { type: 'BACK_TO_SOURCE' }), 0);
    assert.equal(await a.metric('dragonfly_client_upload_traffic'), origin.content.length);
    const route = process.platform === 'linux' ? 'sendfile' : 'copy';
    assert.equal(await a.metric('dfpeer_upload_bytes_total', { route, protocol: 'http' }), origin.content.length);
    assert.equal(await a.metric('dfpeer_upload_bytes_total'), origin.content.length);
  });

  it('a limit makes it a copy, at the rate of the limit, and all counters agree', async () => {
    origin = await Origin.start(32 * MIB);
    const limit = 16 * MIB;
    const a = await startDaemon('a', { upload: { bandwidthLimit: '16MiB', server: { ip: '127.0.0.1', port: 0 } } });
    const b = await startDaemon('b');
    await get(a);
    const startedMs = performance.now();
    assert.ok((await get(b)).equals(origin.content));
    const seconds = (performance.now() - startedMs) / 1000;
    // Never faster than the limit; how much slower is the machine's affair.
    assert.ok(origin.content.length / seconds < limit * 1.1, `${origin.content.length / seconds} B/s`);
    assert.equal(
      await a.metric('dfpeer_upload_bytes_total', { route: 'copy', reason: 'limited' }),
      origin.content.length,
    );
    assert.equal(await a.metric('dfpeer_upload_bytes_total'), origin.content.length);
    assert.equal(await a.metric('dragonfly_client_upload_traffic'), origin.content.length);
    assert.equal(await a.metric('dfpeer_upload_limiter_spent_bytes'), origin.content.length);
  });

  it('the second is fed while the first still downloads, and the origin serves the file once', async () => {
    origin = await Origin.start(48 * MIB, { bytesPerSecond: 24 * MIB });
    const a = await startDaemon('a');
    const b = await startDaemon('b');
    const first = get(a);
    await until(
      'the first to have a tenth',
      async () => (await a.metric('dragonfly_client_download_traffic')) > origin.content.length / 10,
    );
    const second = get(b);
    assert.ok((await first).equals(origin.content));
    assert.ok((await second).equals(origin.content));
    assert.equal(origin.contentBytes, origin.content.length);
    assert.equal(await b.metric('dragonfly_client_download_traffic', { type: 'REMOTE_PEER' }), origin.content.length);
  });

  it('after a kill -9 in mid-download only the missing pieces are fetched', async () => {
    origin = await Origin.start(48 * MIB, { bytesPerSecond: 12 * MIB });
    const a = await startDaemon('a');
    const broken = a.dfget(origin.url(), '-O', join(a.directory, 'never'), '--no-progress');
    await until(
      'a third to be there',
      async () => (await a.metric('dragonfly_client_download_traffic')) > origin.content.length / 3,
    );
    const stored = await a.metric('dragonfly_client_download_traffic');
    await a.end('SIGKILL');
    assert.notEqual((await broken).code, 0);
    await assert.rejects(readFile(join(a.directory, 'never')));
    origin.behaviour = {};
    const before = origin.contentBytes;
    await a.restart();
    assert.ok((await get(a, '--digest', `sha256:${origin.sha256}`)).equals(origin.content));
    assert.ok(
      origin.contentBytes - before <= origin.content.length - stored,
      `${origin.contentBytes - before} bytes were fetched again`,
    );
    assert.equal(
      await a.metric('dragonfly_client_download_traffic', { type: 'BACK_TO_SOURCE' }),
      origin.contentBytes - before,
    );
  });

  it('the second goes on with what it has of an overloaded origin, and takes the rest from the first', async () => {
    const etag = '"one"';
    origin = await Origin.start(12 * MIB, { etag });
    const a = await startDaemon('a');
    const b = await startDaemon('b');
    await get(a);
    await get(b, '--range', '0-100');
    origin.behaviour = { etag, status: 429 };
    assert.ok((await get(b)).equals(origin.content));
  });

  it('a complete copy is offered again after both restarted', async () => {
    origin = await Origin.start(20 * MIB);
    const a = await startDaemon('a');
    await get(a);
    assert.equal(await a.end(), 0);
    await a.restart();
    const b = await startDaemon('b');
    await until('the copy to be announced', async () =>
      a.output.some((line) => line.includes('complete tasks were announced')),
    );
    const before = origin.contentBytes;
    assert.ok((await get(b)).equals(origin.content));
    assert.equal(origin.contentBytes, before);
  });

  it('the second goes on from the origin when the first dies in mid-transfer', async () => {
    origin = await Origin.start(40 * MIB);
    const scheduler = await startDaemon('scheduler');
    const a = await startDaemon('a', { upload: { bandwidthLimit: '8MiB', server: { ip: '127.0.0.1', port: 0 } } });
    const b = await startDaemon('b');
    await get(a);
    const second = get(b);
    await until(
      'the second to have a piece',
      async () => (await b.metric('dragonfly_client_download_traffic', { type: 'REMOTE_PEER' })) > 0,
    );
    await a.end('SIGKILL');
    assert.ok((await second).equals(origin.content));
    assert.ok((await b.metric('dragonfly_client_download_traffic', { type: 'BACK_TO_SOURCE' })) > 0);
    assert.equal(await scheduler.end(), 0);
  });

  it('SIGHUP changes the limit of running uploads', async () => {
    origin = await Origin.start(64 * MIB);
    const a = await startDaemon('a', { upload: { bandwidthLimit: '4MiB', server: { ip: '127.0.0.1', port: 0 } } });
    const b = await startDaemon('b');
    await get(a);
    const second = get(b);
    await until(
      'the limited route to serve',
      async () => (await a.metric('dfpeer_upload_bytes_total', { route: 'copy' })) > 0,
    );
    await a.writeConfig({ host: { hostname: 'a' }, upload: { server: { ip: '127.0.0.1', port: 0 } } });
    a.signal('SIGHUP');
    assert.ok((await second).equals(origin.content));
    const copied = await a.metric('dfpeer_upload_bytes_total', { route: 'copy' });
    const total = await a.metric('dfpeer_upload_bytes_total');
    assert.equal(total, origin.content.length);
    assert.ok(copied > 0 && copied < total, `${copied} of ${total} bytes were copied`);
  });

  it('SIGTERM lets a running upload finish', async () => {
    origin = await Origin.start(16 * MIB);
    const a = await startDaemon('a', { upload: { bandwidthLimit: '16MiB', server: { ip: '127.0.0.1', port: 0 } } });
    await get(a);
    const path = /[0-9a-f]{64}/.exec(a.output.join('\n'))?.[0] ?? '';
    const response = await fetch(`http://127.0.0.1:${a.ports.http}/download/${path.slice(0, 3)}/${path}?peerId=test`);
    assert.equal(response.status, 200);
    const ended = a.end();
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(origin.content));
    assert.equal(await ended, 0);
    assert.ok(!a.output.some((line) => line.includes('did not stop well')), a.output.join('\n'));
  });
});
