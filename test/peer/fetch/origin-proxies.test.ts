import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Environment } from '../../../src/core/environment.js';
import type { DfpeerError } from '../../../src/core/errors.js';
import { isRetryable } from '../../../src/peer/fetch/fetch-errors.js';
import { OriginClient } from '../../../src/peer/fetch/origin/origin-client.js';
import { OriginGuard } from '../../../src/peer/fetch/origin/origin-guard.js';
import { firstRequest } from '../../../src/peer/fetch/origin/request-headers.js';
import { TrustedAuthorities } from '../../../src/peer/fetch/origin/trusted-authorities.js';
import { createAuthority, hasOpenssl } from '../../scheduler-client/support/certificates.js';
import { skipLoudly } from '../../support/skip.js';
import { useSharedDirectory } from '../../support/temporary-directory.js';
import { coded, Servers } from './support/fixtures.js';
import { serveSocks5, type Socks5Behaviour } from './support/socks5-proxy.js';

describe('an origin behind a proxy', () => {
  const servers = new Servers();
  const directory = useSharedDirectory();
  const clients: OriginClient[] = [];
  let tls: { cert: Buffer; key: Buffer } | undefined;
  let caCert = '';
  let secure: Server | undefined;

  before(async function () {
    if (!(await hasOpenssl())) return;
    const authority = await createAuthority(directory(), ['192.0.2.1']);
    const { cert, key } = await authority.issue('origin');
    tls = { cert: readFileSync(cert), key: readFileSync(key) };
    caCert = authority.caCert;
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    secure?.closeAllConnections();
    secure?.close();
    secure = undefined;
    servers.close();
  });

  /** What the answer says. */
  async function ask(url: string, environment: Environment, requestHeader = {}): Promise<string> {
    const authorities = new TrustedAuthorities(
      { named: undefined, system: [], additional: caCert === '' ? [] : [caCert] },
      () => undefined,
    );
    const client = new OriginClient({ guard: new OriginGuard(), authorities, environment });
    clients.push(client);
    const signal = AbortSignal.timeout(10_000);
    const location = firstRequest(url, requestHeader);
    const { body } = await client.open({ method: 'GET', location, trust: 'local-user', signal });
    let text = '';
    for (let chunks = await body.read(); chunks !== undefined; chunks = await body.read())
      text += Buffer.concat(chunks).toString();
    return text;
  }

  async function listenSecurely(
    onRequest: (url: string, headers: NodeJS.Dict<string | string[]>) => string,
  ): Promise<number> {
    secure = createServer(tls ?? {}, ({ url = '', headers }, response) => void response.end(onRequest(url, headers)));
    await new Promise<void>((resolve) => secure?.listen(0, '127.0.0.1', resolve));
    return (secure.address() as AddressInfo).port;
  }

  async function socks(behaviour: Socks5Behaviour = {}): Promise<{ at: string; asked: string[] }> {
    const asked: string[] = [];
    const port = await servers.tcp(
      (client) => void serveSocks5(client, asked, behaviour).catch(() => client.destroy()),
    );
    return { at: `127.0.0.1:${port}`, asked };
  }

  const failure = async (asking: Promise<unknown>): Promise<DfpeerError> => {
    const error = await asking.then(() => assert.fail('it gave an answer'), (thrown: unknown) => thrown); // prettier-ignore
    return error as DfpeerError;
  };

  describe('of SOCKS5', () => {
    it('is asked by address or by name, with user and password', async () => {
      const { port } = await servers.http(({ headers, url }, response) => void response.end(`${headers.host} ${url}`));
      const open = await socks({ bound: [3, 2, 97, 98] });
      assert.equal(
        await ask(`http://127.0.0.1:${port}/a?b`, { http_proxy: `socks5://${open.at}` }),
        `127.0.0.1:${port} /a?b`,
      );
      const known = await socks({
        credentials: { user: 'me', password: 'p@s:s%' },
        targetPort: port,
        bound: [4, ...(Array(16).fill(0) as number[])],
      });
      const all_proxy = `socks5h://me:p%40s:s%25@${known.at}`;
      assert.equal(await ask('http://origin.test/c', { all_proxy }), 'origin.test /c');
      assert.equal(await ask('http://[2001:db8::17:1]:8080/', { all_proxy }), '[2001:db8::17:1]:8080 /');
      assert.deepEqual(open.asked, [`1 7f000001 ${port}`]);
      assert.deepEqual(known.asked, ['3 origin.test 80', '4 20010db8000000000000000000170001 8080']);
    });

    it('is believed by its certificate', async function () {
      if (tls === undefined) skipLoudly(this, 'openssl is missing');
      const port = await listenSecurely(() => 'safe');
      const { at, asked } = await socks();
      const environment = { https_proxy: `socks5://${at}` };
      assert.equal(await ask(`https://localhost:${port}/`, environment), 'safe');
      assert.deepEqual(asked, [`3 localhost ${port}`]);
      await assert.rejects(
        ask(`https://127.0.0.1:${port}/`, environment),
        coded('DFP_ORIGIN_UNREACHABLE', /certificate/),
      );
    });

    it('is not to be had, and why, where the proxy refuses', async () => {
      const { at: refusing } = await socks({ refusal: 5 });
      const { at: closed } = await socks({ credentials: { user: 'me', password: 'right' } });
      const get = (http_proxy: string): Promise<DfpeerError> => failure(ask('http://origin.test/', { http_proxy }));
      const refused = await get(`socks5://${refusing}`);
      assert.match(refused.message, /through the proxy 127\.0\.0\.1:\d+: .*ConnectionRefused/);
      assert.ok(isRetryable(refused));
      for (const [user, why] of [
        ['me:wrong@', /Authentication failed; .*USER:PASSWORD@HOST/],
        ['', /no accepted authentication type.*USER:PASSWORD@HOST/],
      ] as const) {
        const error = await get(`socks5://${user}${closed}`);
        assert.match(error.message, why);
        assert.ok(!isRetryable(error), error.message);
      }
      const { port } = await servers.http((_, response) => void response.end());
      assert.match((await get(`socks5://127.0.0.1:${port}`)).message, /invalid socks version/);
      const silent = await servers.tcp((socket) => void socket.end());
      assert.match((await get(`socks5://127.0.0.1:${silent}`)).message, /Socket closed/);
    });
  });

  describe('of HTTP', () => {
    const told = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`;

    it('is asked with a user alone, and with a password that has a stray %', async () => {
      const { port } = await servers.http(({ headers, url }, response) => {
        response.end(`${url} ${headers.host} ${headers['proxy-authorization']}`);
      });
      const get = (user: string, requestHeader = {}): Promise<string> =>
        ask('http://origin.test/a', { http_proxy: `${user}127.0.0.1:${port}` }, requestHeader);
      assert.equal(await get('me@'), `http://origin.test/a origin.test ${told('me:')}`);
      assert.equal(await get('me:100%@'), `http://origin.test/a origin.test ${told('me:100%')}`);
      assert.equal(await get('', { 'proxy-authorization': 'Mine' }), 'http://origin.test/a origin.test Mine');
    });

    it('over TLS is asked for http origins without a tunnel', async function () {
      if (tls === undefined) skipLoudly(this, 'openssl is missing');
      const port = await listenSecurely((url, { host }) => `${url} ${String(host)}`);
      const http_proxy = `https://localhost:${port}`;
      assert.equal(await ask('http://origin.test/a', { http_proxy }), 'http://origin.test/a origin.test');
      assert.equal(
        await ask('http://origin.test/a', { http_proxy }, { host: 'other.test' }),
        'http://origin.test/a other.test',
      );
    });

    it('that wants a user says so, and is not asked again and again', async () => {
      let tunnels = 0;
      const { port, server } = await servers.http((_, response) => void response.writeHead(407).end());
      server.on('connect', (_, socket) => {
        tunnels++;
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      });
      const proxy = `http://127.0.0.1:${port}`;
      const tunnel = await failure(ask('https://origin.test/', { https_proxy: proxy }, { 'Proxy-Authorization': 'x' }));
      assert.match(tunnel.message, /the proxy 127\.0\.0\.1:\d+ answers 407 .*USER:PASSWORD@HOST/);
      assert.equal(tunnel.code, 'DFP_ORIGIN_STATUS');
      assert.ok(!isRetryable(tunnel));
      assert.equal(tunnels, 1);
    });
  });

  it('is asked for by the name in its URL over TLS, whatever the Host header says', async function () {
    if (tls === undefined) skipLoudly(this, 'openssl is missing');
    const port = await listenSecurely((_, { host }) => String(host));
    assert.equal(await ask(`https://localhost:${port}/`, {}, { host: 'other.test' }), 'other.test');
  });
});
