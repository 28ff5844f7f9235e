import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAuthority, hasOpenssl } from '../scheduler-client/support/certificates.js';
import { DaemonProcess, DFDAEMON, DFGET, type ProcessResult, run } from '../support/daemon-process.js';
import { skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';

const CONTENT = Buffer.alloc(100_000, 'content');

describe('an https origin with an authority of its own', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let server: Server | undefined;
  let daemon: DaemonProcess | undefined;
  let caCert: string;
  let otherCaCert: string;

  beforeEach(async function () {
    if (!(await hasOpenssl())) skipLoudly(this, 'openssl is missing');
    const [own, other] = ['own', 'other'].map((name) => join(directory(), name)) as [string, string];
    for (const each of [own, other]) await mkdir(each);
    const authority = await createAuthority(own);
    caCert = authority.caCert;
    otherCaCert = (await createAuthority(other)).caCert;
    const { cert, key } = await authority.issue('origin');
    server = createServer({ cert: await readFile(cert), key: await readFile(key) }, (_, response) =>
      response.setHeader('content-length', CONTENT.length).end(CONTENT),
    );
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    await daemon?.end();
    server?.closeAllConnections();
    server?.close();
    [daemon, server] = [undefined, undefined];
  });

  const url = (): string => `https://localhost:${(server?.address() as AddressInfo).port}/file`;
  const output = (): string => join(directory(), 'output');

  /** A daemon for which the machine trusts what this file lists. */
  async function start(systemList: string, config: Record<string, unknown> = {}): Promise<DaemonProcess> {
    const wrap = ['env', '-u', 'NODE_EXTRA_CA_CERTS', `SSL_CERT_FILE=${systemList}`];
    daemon = await DaemonProcess.start(
      join(directory(), 'daemon'),
      { backend: { maxRetries: 0 }, ...config },
      { wrap },
    );
    return daemon;
  }

  async function assertDownloaded({ code, stderr }: ProcessResult): Promise<void> {
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(output())).equals(CONTENT));
  }

  it('is refused by a machine that does not know it, with what to do', async () => {
    const { code, stderr } = await (await start(otherCaCert)).dfget(url(), '-O', output());
    assert.equal(code, 3, stderr);
    assert.match(stderr, /nobody whom the daemon's host trusts .*update-ca-certificates.* backend\.caCert/);
  });

  it("is believed when it is in the system's list", async () => {
    await assertDownloaded(await (await start(caCert)).dfget(url(), '-O', output()));
  });

  it('is believed when backend.caCert names it', async () => {
    const running = await start(otherCaCert, { backend: { caCert } });
    await assertDownloaded(await running.dfget(url(), '-O', output()));
    const { stdout } = await running.dfdaemon('doctor');
    assert.match(stdout, /^ok +backend\.caCert: \S+ holds 1 certificate$/m);
  });

  it('is believed by the daemon that dfget starts when NODE_EXTRA_CA_CERTS names it', async () => {
    const env = { DFPEER_HOME: directory(), DFPEER_ALIVE_TIME: '1s', SSL_CERT_FILE: otherCaCert };
    // As a user runs it: the script's first line is part of what is tested.
    await assertDownloaded(await run(DFGET, [url(), '-O', output()], { ...env, NODE_EXTRA_CA_CERTS: caCert }));
  });

  it("keeps nobody from starting where the system's list is odd, which is told once", async () => {
    const odd = join(directory(), 'odd');
    await writeFile(odd, 'no certificates here\n');
    const running = await start(odd);
    for (let turn = 0; turn < 2; turn++) assert.equal((await running.dfget(url(), '-O', output())).code, 3);
    const told = running.output.filter((line) => line.includes(`${odd} holds no certificate in PEM; Node's own list`));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /"level":"warn"/);
  });

  it('with a backend.caCert that is no certificate is an error at the start, and in the doctor', async () => {
    const wrong = join(directory(), 'wrong.pem');
    await writeFile(wrong, 'no certificates here\n');
    const expected = /backend\.caCert: \S+wrong\.pem holds no certificate in PEM; name a PEM file/;
    await assert.rejects(start(caCert, { backend: { caCert: wrong } }), expected);
    const file = join(directory(), 'daemon', 'dfdaemon.yaml');
    const { code, stdout } = await run(process.execPath, [DFDAEMON, 'doctor', '-c', file], {
      DFPEER_HOME: directory(),
    });
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL +backend\.caCert: \S+wrong\.pem holds no certificate/m);
  });
});
