import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { OriginError } from '../../../src/core/errors.js';
import { isRetryable } from '../../../src/peer/fetch/fetch-errors.js';
import type { OriginContent } from '../../../src/peer/fetch/piece-fetcher.js';
import { ThreadedPieceFetcher } from '../../../src/peer/fetch/threaded-piece-fetcher.js';
import { coded, CONTENT, origin, Servers } from './support/fixtures.js';

describe('asking an origin what it has', () => {
  const servers = new Servers();
  let fetcher: ThreadedPieceFetcher;

  before(() => (fetcher = new ThreadedPieceFetcher({ threads: 1 })));
  after(() => fetcher.close());
  afterEach(() => servers.close());

  function stat(url: string, requestHeader: Record<string, string> = {}, timeoutMs = 5000): Promise<OriginContent> {
    return fetcher.statOrigin({
      url,
      requestHeader,
      signal: new AbortController().signal,
      timeoutMs,
      trust: 'local-user',
    });
  }

  async function statOf(listener: RequestListener): Promise<OriginContent> {
    return stat((await servers.http(listener)).url);
  }

  it('finds length, validators and ranges with one request for one byte', async () => {
    const ranges: (string | undefined)[] = [];
    const { url } = await servers.http((request, response) => {
      ranges.push(request.headers.range);
      origin()(request, response);
    });
    const { responseHeader, ...found } = await stat(url, { 'X-Mine': '1' });
    assert.deepEqual(found, {
      url,
      requestHeader: { 'X-Mine': '1' },
      trust: 'local-user',
      contentLength: CONTENT.length,
      supportsRange: true,
      etag: '"v1"',
      lastModified: 'Wed, 21 Oct 2015 07:28:00 GMT',
    });
    assert.equal(responseHeader.etag, '"v1"');
    assert.deepEqual(ranges, ['bytes=0-0']);
  });

  for (const [what, length] of [
    ['a content', CONTENT.length],
    ['an empty content', 0],
  ] as const)
    it(`tells the headers of ${what}, not those of its first byte`, async () => {
      const { responseHeader } = await statOf((_request, response) => {
        response.setHeader('Content-Range', length === 0 ? 'bytes */0' : `bytes 0-0/${length}`);
        response.setHeader('Content-Length', length === 0 ? 2 : 1);
        response.writeHead(length === 0 ? 416 : 206).end(length === 0 ? 'no' : 'x');
      });
      assert.equal(responseHeader['content-length'], String(length));
      assert.equal(responseHeader['content-range'], undefined);
    });

  it('keeps no cookie that the origin sets: headers are stored, and told to whoever asks for the task', async () => {
    const { responseHeader } = await statOf((request, response) => {
      response.setHeader('Set-Cookie', ['session=s', 'other=s']);
      origin()(request, response);
    });
    assert.equal(responseHeader.etag, '"v1"');
    assert.equal(responseHeader['set-cookie'], undefined);
  });

  it("sends the UTF-8 of the user's headers, as curl does, also where a redirect leads", async () => {
    const seen: string[] = [];
    const { url } = await servers.http((request, response) => {
      seen.push(Buffer.from(String(request.headers['x-mine']), 'latin1').toString('utf8'));
      if (request.url === '/there') origin()(request, response);
      else response.writeHead(302, { location: '/there' }).end();
    });
    await stat(url, { 'X-Mine': 'Größe ☃' });
    assert.deepEqual(seen, ['Größe ☃', 'Größe ☃']);
  });

  it('finds no ranges when the first byte is refused of a content that has some', async () => {
    const found = await statOf((_, response) =>
      response.writeHead(416, { 'Content-Range': `bytes */${CONTENT.length}` }).end(),
    );
    assert.deepEqual([found.contentLength, found.supportsRange], [CONTENT.length, false]);
  });

  it('finds no ranges when they are ignored, and does not read the content', async () => {
    let sentAll = false;
    const found = await statOf((_, response) => {
      response.writeHead(200, { 'Content-Length': 1e12 });
      response.write(CONTENT);
      response.on('finish', () => (sentAll = true));
    });
    assert.equal(found.supportsRange, false);
    assert.equal(found.contentLength, 1e12);
    assert.equal(sentAll, false);
  });

  it('asks with HEAD when an answer has no length, and lives without one', async () => {
    const methods: (string | undefined)[] = [];
    const chunked =
      (headLength?: number): RequestListener =>
      (request, response) => {
        methods.push(request.method);
        if (request.method === 'HEAD' && headLength !== undefined) response.setHeader('Content-Length', headLength);
        response.writeHead(200);
        response.end(request.method === 'HEAD' ? undefined : 'some bytes');
      };
    assert.equal((await statOf(chunked(77))).contentLength, 77);
    const found = await statOf(chunked());
    assert.equal(found.contentLength, undefined);
    assert.equal(found.supportsRange, false);
    assert.deepEqual(methods, ['GET', 'HEAD', 'GET', 'HEAD']);
  });

  it('believes no HEAD that tells 0 bytes of a content without a length', async () => {
    const found = await statOf((request, response) => {
      if (request.method === 'HEAD') response.setHeader('Content-Length', 0);
      response.writeHead(200);
      response.end(request.method === 'HEAD' ? undefined : 'some bytes');
    });
    assert.equal(found.contentLength, undefined);
  });

  for (const [what, answerHead] of [
    ['closes the connection', (socket: Socket) => socket.destroy()],
    ['never answers', () => undefined],
  ] as const)
    it(`lives without a length where the origin ${what} at HEAD`, async () => {
      const found = await statOf((request, response) => {
        if (request.method === 'HEAD') return answerHead(request.socket);
        response.writeHead(200);
        return response.end('some bytes');
      });
      assert.equal(found.contentLength, undefined);
    });

  it('finds an empty content behind a 416', async () => {
    const found = await statOf((_, response) => response.writeHead(416, { 'Content-Range': 'bytes */0' }).end());
    assert.equal(found.contentLength, 0);
  });

  it('asks without Range when a 416 tells nothing', async () => {
    const found = await statOf((request, response) => {
      if (request.headers.range !== undefined) return response.writeHead(416).end();
      return response.writeHead(200, { 'Content-Length': 3 }).end('abc');
    });
    assert.equal(found.contentLength, 3);
    assert.equal(found.supportsRange, false);
  });

  for (const status of [400, 403, 405, 406, 412, 501])
    it(`asks without Range where a request with one is refused with ${status}`, async () => {
      const found = await statOf((request, response) => {
        if (request.headers.range !== undefined) return response.writeHead(status).end('no');
        return response.writeHead(200, { 'Content-Length': CONTENT.length }).end(CONTENT);
      });
      assert.deepEqual([found.contentLength, found.supportsRange], [CONTENT.length, false]);
    });

  it('asks once where a refusal can not be for its Range', async () => {
    for (const status of [401, 404, 410, 429, 503]) {
      let requests = 0;
      const refusal: RequestListener = (_, response) => (requests++, response.writeHead(status).end());
      await assert.rejects(statOf(refusal), coded('DFP_ORIGIN_STATUS'));
      assert.equal(requests, 1);
    }
  });

  it('takes every success that brings content, but not one that tells of work under way', async () => {
    const answering =
      (status: number): RequestListener =>
      (_, response) =>
        response.writeHead(status, { 'Content-Length': CONTENT.length }).end(CONTENT);
    for (const status of [201, 203, 299]) {
      const found = await statOf(answering(status));
      assert.deepEqual([found.contentLength, found.supportsRange], [CONTENT.length, false]);
    }
    await assert.rejects(statOf(answering(202)), coded('DFP_ORIGIN_STATUS', /not ready yet/));
  });

  it('says what it accepts, as some servers want to know, unless the user does', async () => {
    const seen: unknown[] = [];
    const { url } = await servers.http(origin(({ headers }) => (seen.push(headers.accept), false)));
    await stat(url);
    await stat(url, { Accept: 'a/b' });
    assert.deepEqual(seen, ['*/*', 'a/b']);
  });

  it('does not trust ranges when one byte was asked and more came', async () => {
    const found = await statOf((_, response) =>
      response.writeHead(206, { 'Content-Range': 'bytes 0-9/10', 'Content-Length': 10 }).end('0123456789'),
    );
    assert.equal(found.supportsRange, false);
    assert.equal(found.contentLength, 10);
    const mute = await statOf((_, response) => response.writeHead(206, { 'Content-Length': 1 }).end('0'));
    assert.equal(mute.supportsRange, false);
    assert.equal(mute.contentLength, undefined);
  });

  it('fails with status and headers of a refusal', async () => {
    await assert.rejects(
      statOf((_, response) => response.writeHead(404, { 'X-Why': 'gone' }).end('not here')),
      (error) => {
        assert.ok(error instanceof OriginError);
        assert.equal(error.status, 404);
        assert.equal(error.headers['x-why'], 'gone');
        return coded('DFP_ORIGIN_STATUS', /answers 404/)(error);
      },
    );
  });

  it('takes what comes encoded though nobody asked for that, but not the length of something else', async () => {
    const encoding = { 'Content-Encoding': 'gzip' };
    const whole = await statOf((_, response) =>
      response.writeHead(200, { ...encoding, 'Content-Length': 3 }).end('abc'),
    );
    assert.deepEqual([whole.contentLength, whole.responseHeader['content-encoding']], [3, 'gzip']);
    const onTheFly = await statOf((request, response) =>
      request.method === 'HEAD'
        ? response.writeHead(200, { 'Content-Length': 999 }).end()
        : response.writeHead(200, encoding).end('abc'),
    );
    assert.equal(onTheFly.contentLength, undefined);
  });

  it('can not reach an origin that never answers, which may be tried again', async () => {
    const port = await servers.tcp(() => undefined);
    await assert.rejects(stat(`http://127.0.0.1:${port}/`, {}, 60), (error) => {
      assert.ok(error instanceof OriginError && isRetryable(error));
      return coded('DFP_ORIGIN_UNREACHABLE', /60 ms/)(error);
    });
  });

  it('refuses schemes other than http and https, and what is no URL', async () => {
    await assert.rejects(stat('file:///etc/passwd'), coded('DFP_ORIGIN_FORBIDDEN', /file:/));
    await assert.rejects(stat('nonsense'), coded('DFP_INVALID_ARGUMENT'));
  });

  it('follows redirects, relative ones too, and remembers where they led', async () => {
    const found = await statOf((request, response) => {
      const next = { '/file': '/a', '/a': 'b?x=1', '/b?x=1': undefined }[request.url ?? ''];
      if (next === undefined) return origin()(request, response);
      return response.writeHead(307, { Location: next }).end();
    });
    assert.equal(found.contentLength, CONTENT.length);
    assert.match(found.location?.url ?? '', /^http:\/\/127\.0\.0\.1:\d+\/b\?x=1$/);
  });

  it('takes a redirect that is written in UTF-8 as curl does', async () => {
    const found = await statOf((request, response) => {
      if (request.url === '/gr%C3%B6%C3%9Fe') return origin()(request, response);
      response.writeHead(302, { location: Buffer.from('/größe').toString('latin1') }).end();
    });
    assert.equal(found.contentLength, CONTENT.length);
  });

  it('gives up on redirects without end, to nowhere, and to another scheme', async () => {
    let hops = 0;
    const endless: RequestListener = (_, response) => response.writeHead(302, { Location: `/${++hops}` }).end();
    await assert.rejects(statOf(endless), coded('DFP_ORIGIN_REDIRECTS', /more than 10/));
    assert.equal(hops, 11);
    const to =
      (location: string): RequestListener =>
      (_, response) =>
        response.writeHead(301, { Location: location }).end();
    await assert.rejects(statOf(to('http://[')), coded('DFP_ORIGIN_REDIRECTS', /no URL/));
    await assert.rejects(statOf(to('file:///etc/passwd')), coded('DFP_ORIGIN_FORBIDDEN'));
    await assert.rejects(
      statOf((_, response) => response.writeHead(302).end()),
      coded('DFP_ORIGIN_STATUS', /answers 302/),
    );
  });

  it('keeps credentials within an origin, drops them on the way to another, and has them again when that leads back', async () => {
    const seen: [string, string | undefined, string | undefined, unknown][] = [];
    const record =
      (name: string): RequestListener =>
      (request, response) => {
        const { authorization, cookie } = request.headers;
        seen.push([`${name}${request.url ?? ''}`, authorization, cookie, request.headers['x-mine']]);
        const next = redirects[`${name}${request.url ?? ''}`];
        if (next === undefined) return origin()(request, response);
        return response.writeHead(302, { Location: next }).end();
      };
    const [first, second] = [await servers.http(record('first')), await servers.http(record('second'))];
    const redirects: Record<string, string> = {
      'first/file': '/same',
      'first/same': `http://127.0.0.1:${second.port}/other`,
      'second/other': `http://127.0.0.1:${first.port}/back`,
    };
    const secrets = { Authorization: 'Bearer t', Cookie: 'c=1', 'X-Mine': '1' };
    const found = await stat(first.url, secrets);
    assert.deepEqual(seen, [
      ['first/file', 'Bearer t', 'c=1', '1'],
      ['first/same', 'Bearer t', 'c=1', '1'],
      ['second/other', undefined, undefined, '1'],
      ['first/back', 'Bearer t', 'c=1', '1'],
    ]);
    assert.deepEqual(found.location?.requestHeader, { authorization: 'Bearer t', cookie: 'c=1', 'x-mine': '1' });
  });
});
