import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createAuthority, hasOpenssl } from '../scheduler-client/support/certificates.js';
import { ADMIN, callAdmin } from '../../src/cli/admin-client.js';
import { DaemonProcess, DFDAEMON } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('keys of dfdaemon.yaml', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  const daemons: DaemonProcess[] = [];
  let origin: Origin | undefined;
  let server: Server | undefined;

  async function start(name: string, config: Record<string, unknown>): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(join(directory(), name), config);
    daemons.push(daemon);
    return daemon;
  }

  afterEach(async () => {
    await Promise.all(daemons.splice(0).map((daemon) => daemon.end()));
    await origin?.close();
    server?.closeAllConnections();
    server?.close();
    [origin, server] = [undefined, undefined];
  });

  it('backend.requestHeader goes to origins, and what the download sets wins', async () => {
    const seen: IncomingHttpHeaders[] = [];
    server = createServer((request, response) => {
      seen.push(request.headers);
      response.end('content');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/f`;
    const requestHeader = { 'X-Cluster': 'blue', 'X-Who': 'everybody' };
    const daemon = await start('a', { backend: { requestHeader } });
    const result = await daemon.dfget(url, '-O', join(directory(), 'out'), '-H', 'x-who: me');
    assert.equal(result.code, 0, result.stderr);
    assert.ok(seen.length > 0);
    for (const headers of seen) assert.deepEqual([headers['x-cluster'], headers['x-who']], ['blue', 'me']);
  });

  for (const maxRetries of [0, 2])
    it(`backend.maxRetries: ${maxRetries} makes ${maxRetries + 1} attempts at an overloaded origin`, async () => {
      origin = await Origin.start(MIB, { status: 503 });
      const daemon = await start('a', { backend: { maxRetries } });
      const result = await daemon.dfget(origin.url(), '-O', join(directory(), 'out'));
      assert.equal(result.code, 3, result.stderr);
      assert.equal(origin.requests.length, maxRetries + 1);
    });

  it('are defaults again, with a warning, when the file is gone at a reload', async () => {
    const file = join(directory(), 'dfdaemon.yaml');
    await writeFile(file, 'upload: { bandwidthLimit: 1MiB }\n');
    const env = { ...process.env, DFPEER_HOME: directory() };
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
    const child = spawn(process.execPath, [DFDAEMON, '--console', '--loopback'], { stdio, env });
    const exited = once(child, 'exit');
    try {
      const entries: { level: string; msg: string; file?: string; changed?: string[] }[] = [];
      const hasSaid = (pattern: RegExp) => async (): Promise<boolean> => entries.some(({ msg }) => pattern.test(msg));
      createInterface({ input: child.stdout }).on('line', (line) =>
        entries.push(JSON.parse(line) as (typeof entries)[0]),
      );
      await until('the start', hasSaid(/^ready$/));
      await rm(file);
      child.kill('SIGHUP');
      await until('the reload', hasSaid(/^configuration reloaded/));
      const warning = entries.find(({ msg }) => msg.includes('is gone'));
      assert.equal(warning?.level, 'warn');
      assert.equal(warning.file, file);
      child.kill('SIGTERM');
      child.kill('SIGHUP');
      assert.deepEqual(await exited, [0, null], 'a SIGHUP while it stops does it no harm');
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
  });

  it('name keys without effect at a reload too, once', async () => {
    const daemon = await start('a', {});
    const lines = (pattern: RegExp): string[] => daemon.output.filter((line) => pattern.test(line));
    for (const reloads of [1, 2]) {
      await daemon.writeConfig({ upload: { bandwithLimit: '1MiB' }, log: { levels: { uplaod: 'debug' } } });
      process.kill(daemon.pid, 'SIGHUP');
      await until('a reload', async () => lines(/configuration reloaded/).length === reloads);
    }
    assert.equal(lines(/keys without effect in .*upload\.bandwithLimit/).length, 1);
    assert.equal(lines(/log\.levels names no module of ours with uplaod; there are .*upload/).length, 1);
    await daemon.writeConfig({ upload: { bandwidthLimit: '1 parsec' } });
    process.kill(daemon.pid, 'SIGHUP');
    await until('the refusal', async () => lines(/could not be reloaded/).length === 1);
    assert.match(lines(/could not be reloaded/)[0] ?? '', /upload\.bandwidthLimit: expected bytes per second/);
    assert.doesNotMatch(lines(/could not be reloaded/)[0] ?? '', /ZodError|stack/);
  });

  it('download.server.requestRateLimit refuses further calls on the unix socket', async () => {
    const daemon = await start('a', { download: { server: { requestRateLimit: 1 } } });
    const asked = Array.from({ length: 20 }, () => callAdmin(daemon.socketPath, ADMIN.GetLimits, {}));
    const refused = (await Promise.allSettled(asked)).filter((answer) => answer.status === 'rejected');
    assert.ok(refused.length > 0);
    for (const { reason } of refused) assert.match(String(reason), /too many requests a second/);
  });

  it('upload.client and upload.server let peers talk by mutual TLS, and nobody else', async function () {
    if (!(await hasOpenssl())) skipLoudly(this, 'openssl is missing');
    const { caCert, issue } = await createAuthority(directory());
    const [a, b] = [await issue('a'), await issue('b')];
    origin = await Origin.start(9 * MIB);
    const first = await start('a', { upload: { server: { caCert, ...a } } });
    const scheduler = { addrs: [`127.0.0.1:${first.ports.scheduler ?? 0}`], embedded: { enable: false } };
    const second = await start('b', { scheduler, upload: { client: { caCert, ...b } } });
    const stranger = await start('c', { scheduler });
    const get = async (daemon: DaemonProcess, ...flags: string[]): Promise<number> => {
      const output = join(daemon.directory, `out-${flags.length}`);
      return (await daemon.dfget(origin?.url() ?? '', '-O', output, ...flags)).code;
    };
    assert.equal(await get(first), 0);
    // While the first one is the only parent there is.
    assert.notEqual(await get(stranger, '--disable-back-to-source', '--timeout', '6s'), 0);
    assert.equal(await get(second, '--disable-back-to-source'), 0);
    assert.equal(await second.metric('dragonfly_client_download_traffic', { type: 'REMOTE_PEER' }), 9 * MIB);
  });
});
