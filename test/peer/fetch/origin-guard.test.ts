import assert from 'node:assert/strict';
import { OriginGuard, type Resolve, type ResolvedAddress } from '../../../src/peer/fetch/origin/origin-guard.js';
import type { JobResult } from '../../../src/peer/fetch/messages.js';
import type { OriginTrust } from '../../../src/peer/fetch/piece-fetcher.js';
import { ThreadedPieceFetcher } from '../../../src/peer/fetch/threaded-piece-fetcher.js';
import { coded, CONTENT, origin, Servers } from './support/fixtures.js';
import { runInThread } from './support/in-thread.js';

const FORBIDDEN = [
  '127.0.0.1', '127.8.8.8', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254',
  '100.64.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1',
  '::ffff:169.254.169.254', '::127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', '2001:0:1::1', 'fc00::1', 'fd00:ec2::254',
  'fe80::1', 'fec0::1', 'ff02::1',
]; // prettier-ignore
const PUBLIC = [
  '1.1.1.1',
  '93.184.215.14',
  '172.32.0.1',
  '100.128.0.1',
  '192.169.0.1',
  '::ffff:8.8.8.8',
  '2606:4700::1111',
];

function answers(...lists: string[][]): Resolve & { questions: string[] } {
  const questions: string[] = [];
  const resolve = async (hostname: string): Promise<ResolvedAddress[]> => {
    questions.push(hostname);
    const list = lists[Math.min(questions.length, lists.length) - 1] ?? [];
    return list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  return Object.assign(resolve, { questions });
}

function lookUp(guard: OriginGuard, trust: OriginTrust = 'network'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    guard.lookup(trust)('host.example', { all: true }, (error, addresses) =>
      error ? reject(error) : resolve(addresses),
    );
  });
}

describe('the guard before origins', () => {
  it('refuses addresses that are not public to requests from the network, not to a local user', () => {
    const guard = new OriginGuard();
    for (const address of FORBIDDEN) {
      const url = `http://${address.includes(':') ? `[${address}]` : address}/`;
      assert.throws(() => guard.checkUrl(url, 'network'), coded('DFP_ORIGIN_FORBIDDEN'), address);
      guard.checkUrl(url, 'local-user');
    }
    for (const address of PUBLIC)
      guard.checkUrl(`http://${address.includes(':') ? `[${address}]` : address}/`, 'network');
  });

  it('sees through other spellings of an address', () => {
    const guard = new OriginGuard();
    for (const host of [
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      '①②⑦.0.0.1',
      '[::ffff:7f00:1]',
      '[0:0:0:0:0:0:0:1]',
    ])
      assert.throws(() => guard.checkUrl(`http://${host}/`, 'network'), coded('DFP_ORIGIN_FORBIDDEN'), host);
  });

  it('lets nobody use other schemes', () => {
    for (const url of ['file:///etc/passwd', 'ftp://a/', 'gopher://a/', 'data:,x', 'javascript:1'])
      assert.throws(() => new OriginGuard().checkUrl(url, 'local-user'), coded('DFP_ORIGIN_FORBIDDEN'), url);
  });

  it('permits the networks and addresses of the allow-list, and only them', () => {
    const guard = new OriginGuard({ allowedNetworks: ['10.1.0.0/16', '10.3.2.1', 'fd00::/8', '::1'] });
    guard.checkUrl('http://10.1.2.3/', 'network');
    guard.checkUrl('http://10.3.2.1/', 'network');
    guard.checkUrl('http://[::1]/', 'network');
    assert.throws(() => guard.checkUrl('http://10.3.2.2/', 'network'), coded('DFP_ORIGIN_FORBIDDEN'));
    guard.checkUrl('http://[fd00::1]/', 'network');
    assert.throws(
      () => guard.checkUrl('http://10.2.0.1/', 'network'),
      coded('DFP_ORIGIN_FORBIDDEN', /download\.originAllowList/),
    );
  });

  it('refuses an allow-list that is not made of networks', () => {
    for (const network of ['10.0.0', '10.0.0.0/33', '10.0.0.0/', 'example.com/8', '::1/129', '10.0.0.0/-1'])
      assert.throws(() => new OriginGuard({ allowedNetworks: [network] }), coded('DFP_USAGE'), network);
  });

  it('refuses a name when one of its addresses is forbidden', async () => {
    const mixed = new OriginGuard({ resolve: answers(['1.1.1.1', '10.0.0.1']) });
    await assert.rejects(lookUp(mixed), coded('DFP_ORIGIN_FORBIDDEN', /host\.example \(10\.0\.0\.1\)/));
    assert.deepEqual(await lookUp(mixed, 'local-user'), [
      { address: '1.1.1.1', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ]);
    await assert.rejects(lookUp(new OriginGuard({ resolve: answers([]) })), /no address/);
  });

  describe('in requests', () => {
    const servers = new Servers();
    afterEach(() => servers.close());

    function stat(
      url: string,
      resolve: Resolve,
      trust: OriginTrust = 'network',
      allowed: string[] = [],
    ): Promise<JobResult> {
      const limits = { timeoutMs: 5000, metered: false, reportsProgress: false };
      return runInThread({ kind: 'origin-stat', order: { url, requestHeader: {}, trust }, limits }, resolve, allowed);
    }

    it('connects to the very address it checked, whatever the resolver says a second time', async () => {
      const hosts: (string | undefined)[] = [];
      const { port } = await servers.http((request, response) => {
        hosts.push(request.headers.host);
        origin()(request, response);
      });
      // 127.0.0.1 stands for the public address; what a second answer names has no server, and is not allowed.
      const resolve = answers(['127.0.0.1'], ['127.0.0.2'], ['169.254.169.254']);
      const found = await stat(`http://rebind.example:${port}/`, resolve, 'network', ['127.0.0.1/32']);
      assert.equal('contentLength' in found && found.contentLength, CONTENT.length);
      assert.deepEqual(resolve.questions, ['rebind.example']);
      assert.deepEqual(hosts, [`rebind.example:${port}`]);
    });

    it('refuses a name that answers with a private address, at first or the second time', async () => {
      let requests = 0;
      const { port } = await servers.http((_, response) => {
        requests++;
        // Closing the connection makes the next request resolve again.
        response.writeHead(302, { Location: '/again', Connection: 'close' }).end();
      });
      await assert.rejects(stat(`http://a.example:${port}/`, answers(['127.0.0.1'])), coded('DFP_ORIGIN_FORBIDDEN'));
      assert.equal(requests, 0);
      const rebinding = answers(['127.0.0.1'], ['127.0.0.2']);
      const url = `http://a.example:${port}/`;
      await assert.rejects(
        stat(url, rebinding, 'network', ['127.0.0.1/32']),
        coded('DFP_ORIGIN_FORBIDDEN', /127\.0\.0\.2/),
      );
      assert.equal(requests, 1);
    });

    for (const target of [
      'http://127.0.0.2/',
      'http://169.254.169.254/latest/meta-data/',
      'http://[::1]/',
      'http://inner.example/',
    ])
      it(`refuses a redirect to ${target}`, async () => {
        const { port } = await servers.http((_, response) => response.writeHead(302, { Location: target }).end());
        const resolve: Resolve = async (name) => [
          { address: name === 'inner.example' ? '10.0.0.1' : '127.0.0.1', family: 4 },
        ];
        const url = `http://outer.example:${port}/`;
        await assert.rejects(stat(url, resolve, 'network', ['127.0.0.1/32']), coded('DFP_ORIGIN_FORBIDDEN'));
      });

    it('asks no proxy for a request from the network: it would connect to what was not checked', async () => {
      const { url } = await servers.http(origin());
      const proxy = await servers.http(() => assert.fail('asked'));
      const fetcher = new ThreadedPieceFetcher({
        threads: 1,
        allowedNetworks: ['127.0.0.1'],
        environment: { http_proxy: proxy.url },
      });
      const signal = new AbortController().signal;
      const request = { url, requestHeader: {}, trust: 'network', signal, timeoutMs: 5000 } as const;
      assert.equal((await fetcher.statOrigin(request)).contentLength, CONTENT.length);
      await fetcher.close();
    });

    it('does not let a request from the network use what a local user may reach', async () => {
      const { url } = await servers.http(origin());
      await stat(url, answers(), 'local-user');
      await assert.rejects(stat(url, answers(), 'network'), coded('DFP_ORIGIN_FORBIDDEN'));
    });
  });
});
