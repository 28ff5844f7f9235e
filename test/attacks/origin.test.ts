import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { DaemonProcess } from '../support/daemon-process.js';
import { downloadTask, type DownloadOutcome } from '../support/download-task.js';
import { Origin } from '../support/origin.js';
import { canMakeNamespaces, skipLoudly } from '../support/skip.js';
import { useSharedDirectory, useTemporaryDirectory } from '../support/temporary-directory.js';
import { nameServer } from './support/name-server.js';

/** Stands for an origin that requests from the network may use. */
const ALLOWED = '127.0.0.2';
const CONTENT_BYTES = 1000;

describe('a scheduler that has a daemon fetch things', function () {
  this.timeout(60_000);
  const shared = useSharedDirectory();
  const directory = useTemporaryDirectory();
  /** A service of the host that only the host may reach. */
  let victim: Origin;
  let allowed: Origin;
  let redirector: Server;
  let daemon: DaemonProcess;

  before(async () => {
    daemon = await start(shared());
  });
  after(() => daemon.end());

  beforeEach(async function () {
    if (process.platform !== 'linux') skipLoudly(this, 'other loopback addresses need Linux');
    victim = await Origin.start(CONTENT_BYTES);
    allowed = await Origin.start(CONTENT_BYTES, {}, ALLOWED);
    redirector = createServer((request, response) =>
      response.writeHead(302, { location: decodeURIComponent((request.url ?? '').slice(1)) }).end(),
    ).listen(0, ALLOWED);
    await once(redirector, 'listening');
  });
  afterEach(async () => {
    redirector.close();
    await Promise.all([victim.close(), allowed.close()]);
  });

  /** With its embedded scheduler on loopback, whoever calls from there counts as one. */
  function start(parent: string, wrap: string[] = []): Promise<DaemonProcess> {
    return DaemonProcess.start(
      join(parent, 'd'),
      { download: { originAllowList: [`${ALLOWED}/32`] }, backend: { maxRetries: 0 } },
      { wrap },
    );
  }

  const ask = (url: string, of = daemon): Promise<DownloadOutcome> =>
    downloadTask(`127.0.0.1:${of.ports.grpc}`, { url });
  const redirectTo = (url: string): string =>
    `http://${ALLOWED}:${(redirector.address() as AddressInfo).port}/${encodeURIComponent(url)}`;

  it('gets what is allowed, with a redirect too', async () => {
    assert.equal((await ask(allowed.url())).status.code, status.OK);
    assert.equal((await ask(redirectTo(allowed.url('/other')))).status.code, status.OK);
  });

  it('can not reach the host itself, however the address is written', async () => {
    const { port } = victim;
    const spellings = [
      ...['127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f.1', '017700000001', '[::ffff:127.0.0.1]', '0.0.0.0'],
      ...['[::1]', '127.0.0.1.', 'LOCALHOST', 'user@127.0.0.1', '127.0.0.1%2f@127.0.0.1'],
    ];
    for (const host of spellings) {
      const { status: ended } = await ask(`http://${host}:${port}/secret`);
      assert.notEqual(ended.code, status.OK, host);
    }
    for (const url of ['http://169.254.169.254/latest/meta-data/', 'http://10.0.0.1/', 'http://[fd00:ec2::254]/'])
      assert.match((await ask(url)).status.details, /not fetched|forbidden|allow/i, url);
    assert.equal(victim.requests.length, 0);
  });

  it('can not get there by redirects', async () => {
    for (const url of [
      victim.url(),
      `http://localhost:${victim.port}/`,
      redirectTo(victim.url()),
      'file:///etc/passwd',
      'ftp://127.0.0.1/',
    ])
      assert.notEqual((await ask(redirectTo(url))).status.code, status.OK, url);
    assert.equal(victim.requests.length, 0);
  });

  it('can not send it round in circles', async () => {
    let followed = 0;
    const circle = createServer((_, response) => {
      followed++;
      response.writeHead(302, { location: `/${followed}` }).end();
    }).listen(0, ALLOWED);
    await once(circle, 'listening');
    const { status: ended } = await ask(`http://${ALLOWED}:${(circle.address() as AddressInfo).port}/`);
    assert.match(ended.details, /redirect/);
    assert.ok(followed < 100, `${followed} redirects were followed`);
    circle.close();
  });

  it('can not use other schemes, nor name a file to write', async () => {
    for (const url of ['file:///etc/passwd', 'gopher://127.0.0.2/', 'data:text/plain,x', 'http://', 'nonsense'])
      assert.notEqual((await ask(url)).status.code, status.OK, url);
    const outputPath = join(directory(), 'written-by-the-network');
    const { status: ended } = await downloadTask(`127.0.0.1:${daemon.ports.grpc}`, { url: allowed.url(), outputPath });
    assert.equal(ended.code, status.OK, ended.details);
    assert.equal(existsSync(outputPath), false);
  });

  it('can not rebind a name between check and use', async function () {
    if (!canMakeNamespaces()) skipLoudly(this, 'replacing the resolver needs root');
    // Each question for the name gets the next answer: allowed first, then the host itself.
    const dns = await nameServer((question) => (question === 1 ? ALLOWED : '127.0.0.1'));
    const resolver = join(directory(), 'resolv.conf');
    await writeFile(resolver, `nameserver ${dns.address}\noptions attempts:1 timeout:2\n`);
    await mkdir(join(directory(), 'd'), { recursive: true });
    const mount = `mount --bind '${resolver}' /etc/resolv.conf && exec "$@"`;
    const misled = await start(directory(), ['unshare', '-m', 'sh', '-c', mount, 'sh']);
    const innocent = createServer((_, response) =>
      // No keep-alive: the next request would resolve again.
      response.writeHead(302, { location: '/again', connection: 'close' }).end(),
    ).listen(victim.port, ALLOWED);
    await once(innocent, 'listening');
    for (let round = 0; round < 3; round++) {
      const { status: ended } = await ask(`http://rebind.example:${victim.port}/${round}`, misled);
      assert.notEqual(ended.code, status.OK);
    }
    assert.ok(dns.questions > 0, 'the daemon asked our name server');
    assert.equal(victim.requests.length, 0);
    innocent.close();
    dns.close();
    await misled.end();
  });
});
