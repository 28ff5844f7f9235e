import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { Transfer } from '../../../src/peer/fetch/transfer.js';
import type { FetchedPiece, OriginContent } from '../../../src/peer/fetch/piece-fetcher.js';
import { DirectOrigins, type DirectOriginsOptions } from '../../../src/peer/fetch/origin/direct-origins.js';
import { OriginGuard } from '../../../src/peer/fetch/origin/origin-guard.js';
import {
  bytesOf,
  closedPort,
  coded,
  digestOf,
  foundAt,
  LAYOUT,
  origin,
  Servers,
  StoreFile,
} from './support/fixtures.js';

const SLICE = LAYOUT.slice(1);

describe('a piece straight from an http origin', () => {
  const servers = new Servers();
  let direct: DirectOrigins;
  let file: StoreFile;

  const open = (more: Partial<DirectOriginsOptions> = {}): DirectOrigins =>
    new DirectOrigins({ guard: new OriginGuard(), minBytes: 1, ...more });

  beforeEach(() => {
    direct = open();
    file = new StoreFile();
  });

  afterEach(() => {
    direct.close();
    servers.close();
    file.clean();
  });

  async function fetchPiece(content: OriginContent, slice = SLICE): Promise<FetchedPiece | undefined> {
    const transfer = new Transfer({
      waitingFor: 'the origin',
      timeoutMs: 10_000,
      metered: false,
      reportsProgress: false,
      port: { requestLease: () => undefined, reportProgress: () => undefined, deliverPiece: () => undefined },
    });
    try {
      return await direct.fetch({ origin: content, slice, path: file.path }, transfer);
    } finally {
      transfer.close();
    }
  }

  async function fetchFrom(listener: RequestListener, more: Partial<OriginContent> = {}): Promise<unknown> {
    return fetchPiece(foundAt((await servers.http(listener)).url, more));
  }

  it('is written at its offset and summed up, over one connection for one after the other', async () => {
    const { url, server } = await servers.http(origin());
    let connections = 0;
    server.on('connection', () => connections++);
    for (const slice of LAYOUT.all()) {
      const piece = await fetchPiece(foundAt(url), slice);
      assert.equal(piece?.digest, digestOf(slice));
      assert.deepEqual(file.read(slice), bytesOf(slice));
    }
    assert.equal(connections, 1);
  });

  it('is not asked for twice at once where the origin has too many requests', async () => {
    for (const status of [429, 503]) {
      let requests = 0;
      const busy: RequestListener = (_, response) => {
        requests++;
        response.writeHead(status, { 'Retry-After': '1' }).end();
      };
      await assert.rejects(fetchFrom(busy), coded('DFP_ORIGIN_STATUS', new RegExp(`${status}`)));
      assert.equal(requests, 1);
    }
  });

  it("is asked for with the user's headers, our own Range, and without compression", async () => {
    const { offset, length } = SLICE;
    const listener = origin(({ headers }) => {
      assert.equal(headers['x-own'], 'value');
      assert.equal(headers.range, `bytes=${offset}-${offset + length - 1}`);
      assert.equal(headers['accept-encoding'], 'identity');
      return false;
    });
    const requestHeader = { 'X-Own': 'value', Range: 'bytes=0-1', 'Accept-Encoding': 'gzip' };
    assert.ok((await fetchFrom(listener, { requestHeader })) !== undefined);
  });

  it("is asked for with the UTF-8 of the user's headers", async () => {
    const seen: string[] = [];
    const listener = origin(({ headers }) => (seen.push(String(headers['x-own'])), false));
    assert.ok((await fetchFrom(listener, { requestHeader: { 'X-Own': 'Größe ☃' } })) !== undefined);
    assert.deepEqual(
      seen.map((value) => Buffer.from(value, 'latin1').toString('utf8')),
      ['Größe ☃'],
    );
  });

  it('is left to the library where the answer is not plain, and nothing is written', async () => {
    const answers: readonly ((...args: Parameters<RequestListener>) => void)[] = [
      (_, response) => response.writeHead(302, { location: '/other' }).end(),
      (_, response) => response.writeHead(200).end(bytesOf(SLICE)),
      (_, response) => response.writeHead(206, { 'transfer-encoding': 'chunked' }).end(bytesOf(SLICE)),
      (_, response) => {
        const { offset, length } = SLICE;
        const range = `bytes ${offset}-${offset + length - 1}/${LAYOUT.contentLength}`;
        response.writeHead(206, { 'transfer-encoding': 'chunked', 'content-range': range, etag: '"v1"' });
        response.end(bytesOf(SLICE));
      },
      (_, response) => response.writeHead(404).end(),
      (request) => request.socket.destroy(),
    ];
    for (const answer of answers)
      assert.equal(await fetchFrom(origin((...args) => (answer(...args), true))), undefined);
    assert.equal(await fetchFrom(origin(), { etag: '"v0"' }), undefined, 'changed');
    assert.equal(await fetchPiece(foundAt(`http://127.0.0.1:${await closedPort()}/`)), undefined, 'nobody there');
    assert.ok(file.readAll().every((byte) => byte === 0));
  });

  it('is left to the library where the request is not plain', async () => {
    const { url } = await servers.http(() => assert.fail('asked'));
    assert.equal(await fetchPiece(foundAt(url.replace('http:', 'https:'))), undefined);
    assert.equal(await fetchPiece(foundAt(url, { requestHeader: { 'x-a': 'b\r\nc: d' } })), undefined);
    direct = open({ environment: { http_proxy: 'http://proxy.invalid' } });
    assert.equal(await fetchPiece(foundAt(url)), undefined);
    direct = open({ minBytes: SLICE.length + 1 });
    assert.equal(await fetchPiece(foundAt(url)), undefined);
  });

  it('is not asked for past a proxy that can not be used', async () => {
    const { url } = await servers.http(() => assert.fail('asked'));
    direct = open({ environment: { http_proxy: 'socks4://127.0.0.1:9' } });
    await assert.rejects(fetchPiece(foundAt(url)), coded('DFP_CONFIG', /^http_proxy .*socks4/));
  });

  it("fails with the origin's code when it ends too early", async () => {
    const listener = origin((request, response) => {
      const { offset, length } = SLICE;
      response.writeHead(206, {
        'Content-Length': length,
        'Content-Range': `bytes ${offset}-${offset + length - 1}/${foundAt('').contentLength ?? 0}`,
      });
      response.write(bytesOf(SLICE).subarray(0, 1000), () => request.socket.end());
      return true;
    });
    await assert.rejects(fetchFrom(listener), coded('DFP_ORIGIN_LENGTH', /1000 of/));
  });

  it('is whole where the server sends more after it, on a connection that is not asked again', async () => {
    const { url, server } = await servers.http(
      origin((request, response) => {
        const { offset, length } = SLICE;
        const range = `bytes ${offset}-${offset + length - 1}/${LAYOUT.contentLength}`;
        const head = `HTTP/1.1 206 OK\r\nContent-Length: ${length}\r\nContent-Range: ${range}\r\n\r\n`;
        request.socket.write(Buffer.concat([Buffer.from(head), bytesOf(SLICE), Buffer.from('\r\n')]));
        return response.socket === request.socket;
      }),
    );
    let connections = 0;
    server.on('connection', () => connections++);
    for (const expected of [1, 2]) {
      assert.equal((await fetchPiece(foundAt(url)))?.digest, digestOf(SLICE));
      assert.deepEqual(file.read(SLICE), bytesOf(SLICE));
      assert.equal(connections, expected);
    }
  });

  it('is not fetched from where a request from the network must not go', async () => {
    const { url } = await servers.http(() => assert.fail('asked'));
    await assert.rejects(fetchPiece(foundAt(url, { trust: 'network' })), coded('DFP_ORIGIN_FORBIDDEN'));
  });
});
