import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { OriginError } from '../../../src/core/errors.js';
import { isRetryable, retryAfterMsOf } from '../../../src/peer/fetch/fetch-errors.js';
import type { FetchedPiece, OriginContent } from '../../../src/peer/fetch/piece-fetcher.js';
import { bytesOf, closedPort, coded, CONTENT, digestOf, foundAt, LAYOUT, origin } from './support/fixtures.js';
import { useFetcher, useServers, useStoreFile } from './support/hooks.js';

const SLICE = LAYOUT.slice(1);
const RANGE = `bytes ${SLICE.offset}-${SLICE.offset + SLICE.length - 1}/${CONTENT.length}`;

describe('a piece from the origin', () => {
  const servers = useServers();
  const fetcher = useFetcher();
  const file = useStoreFile();

  function fetchPiece(
    content: OriginContent,
    more: { idleTimeoutMs?: number; timeoutMs?: number } = {},
  ): Promise<FetchedPiece> {
    const common = { path: file().path, signal: new AbortController().signal, idleTimeoutMs: 5000, timeoutMs: 10_000 };
    return fetcher().fromOrigin({ ...common, origin: content, slice: SLICE, ...more });
  }

  async function fetchFrom(listener: RequestListener, more: Partial<OriginContent> = {}): Promise<FetchedPiece> {
    return fetchPiece(foundAt((await servers.http(listener)).url, more));
  }

  it('is written at its offset and summed up; every piece of a content makes the content', async () => {
    const { url } = await servers.http(origin());
    const { costMs, ...piece } = await fetchPiece(foundAt(url));
    assert.deepEqual(piece, { slice: SLICE, digest: digestOf(SLICE) });
    assert.ok(costMs > 0);
    assert.deepEqual(file().read(SLICE), bytesOf(SLICE));
    const signal = new AbortController().signal;
    const common = { path: file().path, signal, idleTimeoutMs: 5000, timeoutMs: 10_000, origin: foundAt(url) };
    await Promise.all(LAYOUT.all().map((slice) => fetcher().fromOrigin({ ...common, slice })));
    assert.equal(file().readAll().compare(CONTENT), 0);
  });

  it("is asked for with the user's headers, but with our own Range and without compression", async () => {
    let seen: Record<string, unknown> = {};
    const listener = origin((request) => {
      seen = request.headers;
      return undefined;
    });
    const requestHeader = { 'X-Mine': '1', Authorization: 'Bearer t', Range: 'bytes=0-1', 'accept-encoding': 'br' };
    await fetchFrom(listener, { requestHeader });
    assert.equal(seen['x-mine'], '1');
    assert.equal(seen.authorization, 'Bearer t');
    assert.equal(seen.range, `bytes=${SLICE.offset}-${SLICE.offset + SLICE.length - 1}`);
    assert.equal(seen['accept-encoding'], 'identity');
  });

  it('is asked for with the credentials of the URL, which no message shows', async () => {
    let authorization: string | undefined;
    const { port } = await servers.http((request, response) => {
      authorization = request.headers.authorization;
      response.writeHead(403).end();
    });
    const content = foundAt(`http://me:s%20cret@127.0.0.1:${port}/file?Signature=abc`);
    await assert.rejects(fetchPiece(content), (error) => {
      assert.ok(error instanceof OriginError);
      assert.doesNotMatch(error.message, /cret|abc/);
      return coded('DFP_ORIGIN_STATUS', /127\.0\.0\.1:\d+\/file\?Signature=redacted answers 403/)(error);
    });
    assert.equal(authorization, `Basic ${Buffer.from('me:s cret').toString('base64')}`);
    const told = { ...content, requestHeader: { Authorization: 'Bearer t' } };
    await assert.rejects(fetchPiece(told), coded('DFP_ORIGIN_STATUS'));
    assert.equal(authorization, 'Bearer t', 'what the user says goes before the URL');
  });

  it('fails when the origin ignores Range, and says with which status', async () => {
    const listener: RequestListener = (_, response) =>
      response.writeHead(200, { 'Content-Length': CONTENT.length }).end(CONTENT);
    await assert.rejects(fetchFrom(listener), (error) => {
      assert.ok(error instanceof OriginError && error.status === 200);
      assert.ok(!isRetryable(error));
      return coded('DFP_ORIGIN_RANGE', /ignores Range/)(error);
    });
  });

  for (const [what, headers, code] of [
    ['another range', { 'Content-Range': `bytes 0-${SLICE.length - 1}/${CONTENT.length}` }, 'DFP_ORIGIN_RANGE'],
    ['a shorter range', { 'Content-Range': RANGE.replace(/-\d+/, `-${SLICE.offset + 4}`) }, 'DFP_ORIGIN_RANGE'],
    ['no Content-Range', {}, 'DFP_ORIGIN_RANGE'],
    ['a malformed Content-Range', { 'Content-Range': 'bytes 5-1/7' }, 'DFP_ORIGIN_RANGE'],
    ['another total length', { 'Content-Range': RANGE.replace(/\d+$/, '99999999') }, 'DFP_ORIGIN_CHANGED'],
    ['another ETag', { 'Content-Range': RANGE, ETag: '"v2"' }, 'DFP_ORIGIN_CHANGED'],
    [
      'another Last-Modified',
      { 'Content-Range': RANGE, ETag: 'W/"v1"', 'Last-Modified': 'Thu, 22 Oct 2015 07:28:00 GMT' },
      'DFP_ORIGIN_CHANGED',
    ],
    ['another Content-Encoding', { 'Content-Range': RANGE, 'Content-Encoding': 'gzip' }, 'DFP_ORIGIN_CHANGED'],
    ['another Content-Length', { 'Content-Range': RANGE, 'Content-Length': '5' }, 'DFP_ORIGIN_LENGTH'],
  ] as const)
    it(`fails with ${code} when the origin answers with ${what}`, async () => {
      const listener = origin((_, response) => {
        response.writeHead(206, headers).end(bytesOf(SLICE).subarray(0, 5));
        return true;
      });
      await assert.rejects(fetchFrom(listener), coded(code));
      assert.ok(
        file()
          .readAll()
          .every((byte) => byte === 0),
        'nothing was written',
      );
    });

  it('fails when the origin refuses a range, and says whether its content has another length now', async () => {
    for (const [length, code] of [
      [CONTENT.length, 'DFP_ORIGIN_RANGE'],
      [5, 'DFP_ORIGIN_CHANGED'],
    ] as const) {
      const refusing: RequestListener = (_, response) =>
        response.writeHead(416, { 'Content-Range': `bytes */${length}` }).end();
      await assert.rejects(fetchFrom(refusing), coded(code));
    }
  });

  it('is taken from the answer that follows early hints', async () => {
    const hinting = origin((_, response) => response.writeEarlyHints({ link: '</x>; rel=preload' }) as undefined);
    assert.equal((await fetchFrom(hinting)).digest, digestOf(SLICE));
  });

  it('takes the bytes as they come of a content that its origin has encoded', async () => {
    const encoded = origin((_, response) => void response.setHeader('Content-Encoding', 'gzip'));
    const { port } = await servers.http(encoded);
    const content = { ...foundAt(`http://127.0.0.1:${port}/file`), responseHeader: { 'content-encoding': 'GZIP' } };
    assert.equal((await fetchPiece(content)).digest, digestOf(SLICE));
  });

  it('takes an ETag that was weakened on the way, and a missing one', async () => {
    const weak = origin((_, response) => void response.setHeader('ETag', 'W/"v1"'));
    assert.equal((await fetchFrom(weak)).digest, digestOf(SLICE));
    const missing = origin((_, response) => response.removeHeader('ETag') as undefined);
    assert.equal((await fetchFrom(missing)).digest, digestOf(SLICE));
  });

  it('takes another Last-Modified beside the same strong ETag', async () => {
    const later = origin((_, response) => void response.setHeader('Last-Modified', 'Thu, 22 Oct 2015 07:28:00 GMT'));
    assert.equal((await fetchFrom(later)).digest, digestOf(SLICE));
  });

  it('fails when the content has become shorter than the piece, as told by a 416', async () => {
    const listener: RequestListener = (_, response) =>
      response.writeHead(416, { 'Content-Range': 'bytes */1000' }).end();
    await assert.rejects(fetchFrom(listener), coded('DFP_ORIGIN_CHANGED', /1000 bytes now/));
  });

  for (const [status, retryable] of [
    [404, false],
    [403, false],
    [429, true],
    [500, true],
    [503, true],
  ] as const)
    it(`fails with the origin's ${status}, which is ${retryable ? '' : 'not '}worth another try`, async () => {
      const listener: RequestListener = (_, response) =>
        response.writeHead(status, { 'Retry-After': '3', 'X-Why': 'so' }).end('no');
      await assert.rejects(fetchFrom(listener), (error) => {
        assert.ok(error instanceof OriginError && error.status === status);
        assert.equal(error.headers['x-why'], 'so');
        assert.equal(isRetryable(error), retryable);
        assert.equal(retryAfterMsOf(error, 0), 3000);
        return coded('DFP_ORIGIN_STATUS', new RegExp(`answers ${status}`))(error);
      });
    });

  it('fails when the body ends too early', async () => {
    const listener = origin((_, response) => {
      response.writeHead(206, { 'Content-Range': RANGE, 'Content-Length': SLICE.length });
      response.write(bytesOf(SLICE).subarray(0, 1000), () => response.socket?.end());
      return true;
    });
    await assert.rejects(
      fetchFrom(listener),
      (error) => isRetryable(error) && coded('DFP_ORIGIN_LENGTH')(error as never),
    );
  });

  it('fails when a chunked body is shorter or longer than the piece', async () => {
    const chunked = (bytes: Buffer): RequestListener =>
      origin((_, response) => {
        response.writeHead(206, { 'Content-Range': RANGE }).end(bytes);
        return true;
      });
    await assert.rejects(fetchFrom(chunked(Buffer.alloc(7))), coded('DFP_ORIGIN_LENGTH', /sent 7 of the/));
    await assert.rejects(fetchFrom(chunked(Buffer.alloc(SLICE.length + 1))), coded('DFP_ORIGIN_LENGTH', /more than/));
    assert.ok(
      file()
        .read(LAYOUT.slice(2))
        .every((byte) => byte === 0),
      'nothing is written beyond the piece',
    );
  });

  it('fails when the connection is reset in mid-body', async () => {
    const listener = origin((_, response) => {
      response.writeHead(206, { 'Content-Range': RANGE, 'Content-Length': SLICE.length });
      response.write(bytesOf(SLICE).subarray(0, 1000), () => response.socket?.resetAndDestroy());
      return true;
    });
    await assert.rejects(fetchFrom(listener), (error) => {
      // libuv may report a reset as an end when bytes came just before it.
      assert.ok(error instanceof OriginError && ['DFP_ORIGIN_UNREACHABLE', 'DFP_ORIGIN_LENGTH'].includes(error.code));
      return isRetryable(error);
    });
  });

  it('stalls when the body stops coming, and misses its deadline when it drips', async () => {
    const head = { 'Content-Range': RANGE, 'Content-Length': SLICE.length };
    const silent = await servers.http((_, response) => response.writeHead(206, head).write('x'));
    await assert.rejects(fetchPiece(foundAt(silent.url), { idleTimeoutMs: 700 }), coded('DFP_STALLED', /1 so far/));
    const drip = await servers.http((_, response) => {
      response.writeHead(206, head);
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(timer));
    });
    await assert.rejects(fetchPiece(foundAt(drip.url), { timeoutMs: 150 }), coded('DFP_DEADLINE'));
  });

  it('stalls when the origin accepts and never answers', async () => {
    const port = await servers.tcp(() => undefined);
    await assert.rejects(fetchPiece(foundAt(`http://127.0.0.1:${port}/`), { idleTimeoutMs: 60 }), coded('DFP_STALLED'));
  });

  it('fails when nobody listens', async () => {
    const content = foundAt(`http://127.0.0.1:${await closedPort()}/`);
    await assert.rejects(
      fetchPiece(content),
      (error) => isRetryable(error) && coded('DFP_ORIGIN_UNREACHABLE', /ECONNREFUSED/)(error as never),
    );
  });

  it('fails as a usage error when a header cannot be sent', async () => {
    await assert.rejects(
      fetchFrom(origin(), { requestHeader: { 'bad name': '1' } }),
      coded('DFP_INVALID_ARGUMENT', /header/),
    );
  });

  it('is asked for where redirects led before, and at the original URL again when that is refused', async () => {
    const asked: string[] = [];
    let signature = 1;
    const { port } = await servers.http((request, response) => {
      asked.push(request.url ?? '');
      if (request.url === '/file') return response.writeHead(302, { Location: `/signed?${signature}` }).end();
      if (request.url === `/signed?${signature}`) return origin()(request, response);
      return response.writeHead(403).end();
    });
    const url = `http://127.0.0.1:${port}/file`;
    const signal = new AbortController().signal;
    const found = await fetcher().statOrigin({ url, requestHeader: {}, signal, timeoutMs: 5000, trust: 'local-user' });
    assert.equal(found.url, url);
    assert.equal(found.location?.url, `http://127.0.0.1:${port}/signed?1`);
    await fetchPiece(found);
    signature = 2;
    await fetchPiece(found);
    assert.deepEqual(asked, ['/file', '/signed?1', '/signed?1', '/signed?1', '/file', '/signed?2']);
  });

  it('is asked for at the original URL again when the mirror where it led is gone', async () => {
    const mirrors = [await servers.http(origin()), await servers.http(origin())] as const;
    let current = 0;
    const { url } = await servers.http((_, response) =>
      response.writeHead(302, { Location: mirrors[current]?.url }).end(),
    );
    const signal = new AbortController().signal;
    const found = await fetcher().statOrigin({ url, requestHeader: {}, signal, timeoutMs: 5000, trust: 'local-user' });
    assert.equal(found.location?.url, mirrors[0].url);
    mirrors[0].server.close();
    mirrors[0].server.closeAllConnections();
    current = 1;
    assert.equal((await fetchPiece(found)).digest, digestOf(SLICE));
  });
});
