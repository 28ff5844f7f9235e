import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Environment } from '../../../src/core/environment.js';
import type { OriginAnswer } from '../../../src/peer/fetch/origin/origin-exchange.js';
import { MAX_CONNECTIONS_PER_ORIGIN, OriginClient } from '../../../src/peer/fetch/origin/origin-client.js';
import { OriginGuard } from '../../../src/peer/fetch/origin/origin-guard.js';
import { MAX_ORIGINS } from '../../../src/peer/fetch/origin/renewed-agent.js';
import { TrustedAuthorities } from '../../../src/peer/fetch/origin/trusted-authorities.js';
import { Servers } from './support/fixtures.js';
import { until } from '../../support/until.js';

describe('connections to origins', () => {
  const servers = new Servers();
  let client: OriginClient;
  afterEach(async () => {
    await client.close();
    servers.close();
  });

  function makeClient(environment: Environment = {}): OriginClient {
    const resolve = (): Promise<{ address: string; family: 4 }[]> =>
      Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    const authorities = new TrustedAuthorities({ named: undefined, system: [], additional: [] }, () => undefined);
    return new OriginClient({ guard: new OriginGuard({ resolve }), authorities, environment });
  }

  function open(url: string): Promise<OriginAnswer> {
    const signal = AbortSignal.timeout(10_000);
    return client.open({ method: 'GET', location: { url, requestHeader: {} }, trust: 'local-user', signal });
  }

  async function statusOf(url: string): Promise<number> {
    const { status, body } = await open(url);
    while ((await body.read()) !== undefined);
    return status;
  }

  for (const way of ['directly', 'through a proxy'])
    it(`are closed when they are idle and more origins are asked than there may be, ${way}`, async () => {
      const { port, server } = await servers.http((_, response) => void response.end('it'));
      server.keepAliveTimeout = 60_000;
      let openNow = 0;
      server.on('connection', (socket) => {
        openNow++;
        socket.on('close', () => openNow--);
      });
      client = makeClient(way === 'directly' ? {} : { http_proxy: `127.0.0.1:${port}` });
      const ask = (host: number): Promise<number> => statusOf(`http://host-${host}.test:${port}/`);
      for (let host = 0; host < MAX_ORIGINS; host++) assert.equal(await ask(host), 200);
      assert.equal(openNow, MAX_ORIGINS);
      assert.equal(await ask(MAX_ORIGINS), 200);
      await until('the idle ones to be closed', () => openNow === 1);
    });

  for (const way of ['directly', 'through a proxy'])
    it(`are so many at once to one origin, and further requests wait, ${way}`, async () => {
      const answers: (() => void)[] = [];
      const { port, url } = await servers.http((_, response) => void answers.push(() => response.end()));
      client = makeClient(way === 'directly' ? {} : { http_proxy: `127.0.0.1:${port}` });
      const requests = Array.from({ length: MAX_CONNECTIONS_PER_ORIGIN + 1 }, () => statusOf(url));
      await until('as many requests as may be', () => answers.length === MAX_CONNECTIONS_PER_ORIGIN);
      answers.shift()?.();
      await until('the one that waited', () => answers.length === MAX_CONNECTIONS_PER_ORIGIN);
      assert.equal(await Promise.race(requests), 200);
      for (const answer of answers) answer();
      await Promise.all(requests);
    });

  it('through a proxy take a head as long as others do', async () => {
    const long = 'x'.repeat(20 * 1024);
    const { port } = await servers.http((request: IncomingMessage, response) => {
      response.setHeader('x-long', long).end(request.url);
    });
    client = makeClient({ http_proxy: `127.0.0.1:${port}` });
    const { headers, body } = await open('http://host.test/path');
    assert.equal(headers['x-long'], long);
    assert.equal(String(await body.read()), 'http://host.test/path');
  });
});
