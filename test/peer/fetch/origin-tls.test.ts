import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRetryable } from '../../../src/peer/fetch/fetch-errors.js';
import type { OriginContent } from '../../../src/peer/fetch/piece-fetcher.js';
import { ThreadedPieceFetcher } from '../../../src/peer/fetch/threaded-piece-fetcher.js';
import { coded, CONTENT, origin } from './support/fixtures.js';

/** Null without openssl. */
function makeCertificate(): { key: string; cert: string } | null {
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-tls-'));
  const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
  try {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', ...options, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } catch {
    return null;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('an origin over https', () => {
  let server: Server;
  let port: number;
  let certificate: { key: string; cert: string };

  before(async function () {
    const made = makeCertificate();
    if (made === null) {
      console.warn('      openssl is missing: TLS to origins is not tested');
      return this.skip();
    }
    certificate = made;
    server = createServer(certificate, origin());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  after(() => {
    server?.close();
    server?.closeAllConnections();
  });

  async function stat(host: string, certificateAuthorities?: string[]): Promise<OriginContent> {
    const fetcher = new ThreadedPieceFetcher({ threads: 1, certificateAuthorities });
    const signal = new AbortController().signal;
    const url = `https://${host}:${port}/file`;
    try {
      return await fetcher.statOrigin({ url, requestHeader: {}, signal, timeoutMs: 5000, trust: 'local-user' });
    } finally {
      await fetcher.close();
    }
  }

  it('is believed when its certificate is signed by somebody we trust', async () => {
    assert.equal((await stat('localhost', [certificate.cert])).contentLength, CONTENT.length);
  });

  it('is refused otherwise, for good', async () => {
    const refusedForGood = (error: unknown): boolean =>
      !isRetryable(error) && coded('DFP_ORIGIN_UNREACHABLE', /certificate/i)(error as never);
    await assert.rejects(stat('localhost'), refusedForGood);
    await assert.rejects(stat('127.0.0.1', [certificate.cert]), refusedForGood);
  });
});
