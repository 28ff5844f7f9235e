import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createProxy, type Server as Proxy } from 'node:http';
import { createServer, type Server } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { isRetryable } from '../../../src/peer/fetch/fetch-errors.js';
import type { AuthorityFiles } from '../../../src/peer/fetch/origin/authority-files.js';
import { OriginClient } from '../../../src/peer/fetch/origin/origin-client.js';
import { OriginGuard } from '../../../src/peer/fetch/origin/origin-guard.js';
import { firstRequest } from '../../../src/peer/fetch/origin/request-headers.js';
import {
  AUTHORITIES_CHECK_INTERVAL_MS,
  TrustedAuthorities,
} from '../../../src/peer/fetch/origin/trusted-authorities.js';
import type { OriginContent } from '../../../src/peer/fetch/piece-fetcher.js';
import { ThreadedPieceFetcher } from '../../../src/peer/fetch/threaded-piece-fetcher.js';
import { createAuthority, hasOpenssl } from '../../scheduler-client/support/certificates.js';
import { ManualClock } from '../../support/manual-clock.js';
import { skipLoudly } from '../../support/skip.js';
import { useSharedDirectory } from '../../support/temporary-directory.js';
import { coded, CONTENT, origin } from './support/fixtures.js';

describe('an origin over https', () => {
  const directory = useSharedDirectory();
  let server: Server;
  let proxy: Proxy;
  let port: number;
  let caCert: string;

  before(async function () {
    if (!(await hasOpenssl())) skipLoudly(this, 'openssl is missing');
    const authority = await createAuthority(directory(), ['192.0.2.1']);
    const { cert, key } = await authority.issue('origin');
    caCert = authority.caCert;
    server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, origin());
    port = await listen(server);
    proxy = createProxy().on('connect', (_, client: Duplex, head) => {
      const upstream = connect(port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const)
        one.on('error', () => other.destroy());
    });
  });
  after(() => {
    server?.close();
    server?.closeAllConnections();
    proxy?.close();
  });

  const listen = async (listening: Server | Proxy): Promise<number> => {
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    return (listening.address() as AddressInfo).port;
  };

  const trusting = (additional: string[]): AuthorityFiles => ({ named: undefined, system: [], additional });

  async function stat(host: string, additional: string[], environment = {}): Promise<OriginContent> {
    const fetcher = new ThreadedPieceFetcher({ threads: 1, authorities: trusting(additional), environment });
    const signal = new AbortController().signal;
    const url = `https://${host}:${port}/file`;
    try {
      return await fetcher.statOrigin({ url, requestHeader: {}, signal, timeoutMs: 5000, trust: 'local-user' });
    } finally {
      await fetcher.close();
    }
  }

  const refusedForGood = (error: unknown): boolean =>
    !isRetryable(error) && coded('DFP_ORIGIN_UNREACHABLE', /certificate/i)(error as never);

  it('is believed when its certificate is signed by somebody we trust', async () => {
    assert.equal((await stat('localhost', [caCert])).contentLength, CONTENT.length);
  });

  it('is refused otherwise, for good', async () => {
    await assert.rejects(stat('localhost', []), refusedForGood);
    await assert.rejects(stat('127.0.0.1', [caCert]), refusedForGood);
  });

  it('is believed and refused alike through a proxy', async () => {
    const environment = { https_proxy: `http://127.0.0.1:${await listen(proxy)}` };
    assert.equal((await stat('localhost', [caCert], environment)).contentLength, CONTENT.length);
    await assert.rejects(stat('localhost', [], environment), refusedForGood);
  });

  it('is refused and believed as the list of authorities changes, whatever connection was open', async () => {
    const clock = new ManualClock();
    const list = join(directory(), 'list');
    const authorities = new TrustedAuthorities(trusting([list]), () => undefined, clock);
    const client = new OriginClient({ guard: new OriginGuard(), authorities });
    const signal = new AbortController().signal;
    const ask = async (): Promise<number> => {
      // A connection of its own: one that is open stays so.
      const requestHeader = { connection: 'close' };
      const location = firstRequest(`https://localhost:${port}/file`, requestHeader);
      const answer = await client.open({ method: 'HEAD', location, trust: 'local-user', signal });
      answer.body.cancel();
      return answer.status;
    };
    try {
      await assert.rejects(ask(), refusedForGood);
      writeFileSync(list, readFileSync(caCert));
      clock.advance(AUTHORITIES_CHECK_INTERVAL_MS);
      assert.equal(await ask(), 200);
      writeFileSync(list, rootCertificates[0] ?? '');
      clock.advance(AUTHORITIES_CHECK_INTERVAL_MS);
      await assert.rejects(ask(), refusedForGood);
    } finally {
      await client.close();
    }
  });
});
