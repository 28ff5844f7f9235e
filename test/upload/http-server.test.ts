import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import {
  DEFAULT_ANSWER_TIMEOUT_MS,
  DEFAULT_HEADERS_TIMEOUT_MS,
  MAX_PIPELINED_REQUESTS,
} from '../../src/upload/http/server.js';
import type { UploadBounds } from '../../src/upload/index.js';
import { httpRequest, parseHttp, readToEnd } from './support/clients.js';
import type { HttpAnswer } from './support/clients.js';
import type { FileTask } from './support/file-piece-source.js';
import { type RunningService, firstLive, startService } from './support/service.js';
import { ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('the HTTP piece server', () => {
  let running: RunningService;
  let task: FileTask;

  before(async () => {
    running = await startService({ bounds: { availabilityTimeoutMs: 200 } });
    task = running.source.add({ content: randomBytes(MIB + 5), pieceLength: MIB / 2 });
  });
  after(() => running.stop());

  const pathOf = (of: FileTask): string => `/download/${of.taskId.slice(0, 3)}/${of.taskId}?peerId=p`;
  const open = (of = running): Socket => connect(of.httpPort, '127.0.0.1');

  async function ask(request: string): Promise<HttpAnswer> {
    const socket = open();
    socket.write(request);
    return parseHttp(await readToEnd(socket));
  }
  function get(of: FileTask, headers: Record<string, string> = {}, method = 'GET'): Promise<HttpAnswer> {
    const lines = Object.entries({ Host: 'peer', Connection: 'close', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    return ask(`${method} ${pathOf(of)} HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  it('answers a range with 206, Content-Range and a strong ETag', async () => {
    const { status, headers, body } = await get(task, { Range: 'bytes=10-19' });
    assert.equal(status, 206);
    assert.equal(headers.get('content-range'), `bytes 10-19/${task.content.length}`);
    assert.equal(headers.get('accept-ranges'), 'bytes');
    assert.equal(headers.get('content-type'), 'application/octet-stream');
    assert.match(headers.get('etag') ?? '', /^"[!-~]+"$/);
    assert.deepEqual(body, task.content.subarray(10, 20));
    assert.equal(headers.has('dfpeer-piece-digest'), false, 'this range is no piece');
  });

  it('takes open and suffix ranges', async () => {
    const size = task.content.length;
    assert.deepEqual((await get(task, { Range: `bytes=${size - 3}-` })).body, task.content.subarray(-3));
    const suffix = await get(task, { Range: 'bytes=-7' });
    assert.deepEqual(suffix.body, task.content.subarray(-7));
    assert.equal(suffix.headers.get('content-range'), `bytes ${size - 7}-${size - 1}/${size}`);
  });

  it('serves the whole with 200 and its digest when there is no range, or one it may ignore', async () => {
    for (const headers of [{}, { Range: 'bytes=0-1,5-6' }, { Range: 'lines=1-2' }]) {
      const answer = await get(task, headers);
      assert.equal(answer.status, 200);
      assert.ok(answer.body.equals(task.content));
      const digest = createHash('sha256').update(task.content).digest('base64');
      assert.equal(answer.headers.get('content-digest'), `sha-256=:${digest}:`);
    }
  });

  it('gives a part the digest of the whole, and its own only when it is the whole', async () => {
    const digest = `sha-256=:${createHash('sha256').update(task.content).digest('base64')}:`;
    const part = await get(task, { Range: 'bytes=0-9' });
    assert.deepEqual([part.headers.get('repr-digest'), part.headers.get('content-digest')], [digest, undefined]);
    assert.equal(part.headers.has('dfpeer-piece-digest'), false, 'the beginning of a piece is no piece');
    const all = await get(task, { Range: 'bytes=0-' });
    assert.deepEqual([all.headers.get('repr-digest'), all.headers.get('content-digest')], [digest, digest]);
    const head = await get(task, {}, 'HEAD');
    assert.deepEqual([head.headers.get('repr-digest'), head.headers.get('content-digest')], [digest, undefined]);
  });

  it('answers 416 with the length for a range beyond the end', async () => {
    const { status, headers } = await get(task, { Range: `bytes=${task.content.length}-` });
    assert.equal(status, 416);
    assert.equal(headers.get('content-range'), `bytes */${task.content.length}`);
  });

  it('says the same to HEAD, without a body', async () => {
    for (const [range, status] of [
      ['bytes=0-4', 206],
      ['bytes=99999999-', 416],
    ] as const) {
      const [head, full] = [await get(task, { Range: range }, 'HEAD'), await get(task, { Range: range })];
      assert.equal(head.status, status);
      assert.equal(head.body.length, 0);
      for (const name of ['content-length', 'content-range', 'etag'])
        assert.equal(head.headers.get(name), full.headers.get(name));
    }
  });

  it('honours If-Range, If-None-Match and If-Match', async () => {
    const etag = (await get(task, { Range: 'bytes=0-0' })).headers.get('etag') ?? '';
    const cases: [Record<string, string>, number][] = [
      [{ Range: 'bytes=0-4', 'If-Range': etag }, 206],
      [{ Range: 'bytes=0-4', 'If-Range': '"another"' }, 200],
      [{ Range: 'bytes=0-4', 'If-Range': `W/${etag}` }, 200],
      [{ Range: 'bytes=0-4', 'If-Range': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 200],
      [{ 'If-None-Match': `"x", ${etag}` }, 304],
      [{ 'If-None-Match': `W/${etag}`, Range: 'bytes=0-4' }, 304],
      [{ 'If-None-Match': '"x"', Range: 'bytes=0-4' }, 206],
      [{ 'If-None-Match': '*' }, 304],
      [{ 'If-Match': etag, Range: 'bytes=0-4' }, 206],
      [{ 'If-Match': '"x"' }, 412],
      [{ 'If-Match': `W/${etag}` }, 412],
    ];
    for (const [headers, status] of cases)
      assert.equal((await get(task, headers)).status, status, JSON.stringify(headers));
  });

  it('has a strong ETag also for contents whose digest nobody knows, and another for other bytes', async () => {
    const [one, other] = ['one', 'two'].map((text) =>
      running.source.add({ content: Buffer.from(text), withDigest: false }),
    );
    assert.ok(one !== undefined && other !== undefined);
    const etag = (await get(one)).headers.get('etag');
    assert.match(etag ?? '', /^"[!-~]+"$/);
    assert.equal((await get(one)).headers.get('etag'), etag);
    assert.notEqual((await get(other)).headers.get('etag'), etag);
  });

  it('serves an empty content', async () => {
    const empty = running.source.add({ content: Buffer.alloc(0) });
    assert.equal((await get(empty)).status, 200);
    const beyondEnd = (): Promise<number> => running.metric('dfpeer_upload_refused_total', { cause: 'range' });
    const before = await beyondEnd();
    const ranged = await get(empty, { Range: 'bytes=0-0' });
    assert.deepEqual([ranged.status, ranged.headers.get('content-range')], [416, 'bytes */0']);
    assert.equal(await beyondEnd(), before + 1);
  });

  it('answers 404 to anything that is not a task id with its own prefix', async () => {
    const id = task.taskId;
    const wrongPrefix = id.startsWith('000') ? '111' : '000';
    const paths = [
      ...['/', '/download', `/download/${id}`, `/download/${wrongPrefix}/${id}`, `/download/${id.slice(0, 3)}/${id}/x`],
      ...[`/download/${id.slice(0, 3)}/${id.toUpperCase()}x`, `/download/../../${id}`, `/download/%2e%2e/${id}`],
      `/download/${id.slice(0, 3)}/${id.slice(0, 63)}`,
    ];
    for (const path of paths)
      assert.equal((await ask(`GET ${path} HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n`)).status, 404, path);
  });

  it('answers 405 to other methods and 400 to a body', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const answer = await get(task, {}, method);
      assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD']);
    }
    assert.equal((await get(task, { 'Content-Length': '3' })).status, 400);
  });

  it('answers 503 with Retry-After and a reason while bytes are missing', async () => {
    const partial = running.source.add({ content: randomBytes(100), pieceLength: 50, stored: [0], downloading: true });
    for (const headers of [{}, { Range: 'bytes=40-60' }] as Record<string, string>[]) {
      const answer = await get(partial, headers);
      assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
    }
    assert.equal((await get(partial, { Range: 'bytes=0-49' })).status, 206);
  });

  it('tells HEAD at once of bytes that are still to come', async () => {
    const partial = running.source.add({ content: randomBytes(100), pieceLength: 50, stored: [0], downloading: true });
    const [all, stored] = [await get(partial, {}, 'HEAD'), await get(partial, { Range: 'bytes=0-49' }, 'HEAD')];
    assert.deepEqual([all.status, all.headers.get('retry-after'), all.body.length], [503, '1', 0]);
    assert.deepEqual([stored.status, stored.headers.get('content-length')], [206, '50']);
  });

  it('matches no tag of a content that has none before its first piece is here', async () => {
    const young = running.source.add({ content: randomBytes(100), pieceLength: 50, stored: [1], withDigest: false });
    const second = { Range: 'bytes=50-99' };
    for (const [headers, status] of [
      [{}, 206],
      [{ 'If-Match': '*' }, 206],
      [{ 'If-Match': '"x"' }, 412],
      [{ 'If-None-Match': '"x"' }, 206],
      [{ 'If-Range': '"x"' }, 503],
    ] as const) {
      const answer = await get(young, { ...second, ...headers });
      assert.deepEqual([answer.status, answer.headers.has('etag')], [status, false], JSON.stringify(headers));
    }
  });

  it('serves closed ranges of a content whose length is not known yet', async () => {
    const streaming = running.source.add({
      content: randomBytes(100),
      pieceLength: 50,
      stored: [0],
      downloading: true,
      lengthKnown: false,
    });
    const answer = await get(streaming, { Range: 'bytes=0-9' });
    assert.deepEqual([answer.status, answer.headers.get('content-range')], [206, 'bytes 0-9/*']);
    for (const headers of [{}, { Range: 'bytes=5-' }, { Range: 'bytes=-5' }] as Record<string, string>[]) {
      const { status, body } = await get(streaming, headers);
      assert.deepEqual([status, String(body)], [503, 'the length of this content is not known yet\n']);
    }
  });

  for (const [range, status, contentRange] of [
    ['bytes=0-999', 206, 'bytes 0-99/100'],
    ['bytes=500-999', 416, 'bytes */100'],
  ] as const)
    it(`answers ${status} once the end turns out to be before that of ${range}`, async () => {
      const growing = running.source.add({
        ...{ content: randomBytes(100), pieceLength: 50, stored: [0] },
        ...{ downloading: true, lengthKnown: false },
      });
      const answer = get(growing, { Range: range });
      await until('the request to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 1);
      growing.lengthKnown = true;
      growing.downloading = false;
      growing.store(1);
      const { status: answered, headers, body } = await answer;
      assert.deepEqual([answered, headers.get('content-range')], [status, contentRange]);
      if (status === 206) assert.ok(body.equals(growing.content));
    });

  it('keeps the connection, and answers pipelined requests in their order', async () => {
    const socket = open();
    const slices = [...task.layout.all(), ...task.layout.all()];
    socket.write(
      slices
        .map((slice, index) =>
          httpRequest(task.taskId, slice, index === slices.length - 1 ? 'Connection: close\r\n' : ''),
        )
        .join(''),
    );
    let bytes = await readToEnd(socket);
    for (const slice of slices) {
      const answer = parseHttp(bytes);
      assert.equal(answer.status, 206);
      assert.ok(answer.body.equals(task.bytesOf(slice)), `piece ${slice.number}`);
      bytes = answer.rest;
    }
    assert.equal(bytes.length, 0);
  });

  for (const [what, takesThem] of [
    ['closes a connection whose client takes no answer for a while', false],
    ['keeps a connection whose client takes its answers late', true],
  ] as const)
    it(what, async () => {
      const clock = new ManualClock();
      const patient = await startService({ clock });
      const socket = open(patient).pause();
      const batch = 'GET /else HTTP/1.1\r\nHost: p\r\n\r\n'.repeat(MAX_PIPELINED_REQUESTS / 2);
      for (let asked = MAX_PIPELINED_REQUESTS / 2; clock.pendingTimers === 0; asked += MAX_PIPELINED_REQUESTS / 2) {
        socket.write(batch);
        await until('the answers', async () => (await patient.metric('dfpeer_upload_refused_total')) === asked);
      }
      clock.advance(DEFAULT_ANSWER_TIMEOUT_MS - 1);
      assert.equal(await patient.metric('dfpeer_upload_connections'), 1);
      if (takesThem) {
        socket.resume();
        await until('the answers to be taken', () => clock.pendingTimers === 0);
      }
      clock.advance(1);
      if (!takesThem) await once(socket.resume(), 'close');
      assert.equal(await patient.metric('dfpeer_upload_connections'), takesThem ? 1 : 0);
      socket.destroy();
      await patient.stop();
    });

  it('closes a connection that pipelines without end', async () => {
    const socket = open();
    const request = httpRequest(task.taskId, task.layout.slice(0), '');
    socket.write(request.repeat(40));
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.resume().once('close', resolve));
    await running.settled();
  });

  it('cuts off who sends a request a byte at a time, and who sends none', async () => {
    const impatient = await startService({ bounds: { headersTimeoutMs: 300 } });
    for (const bytes of ['GET /down', '']) {
      const socket = open(impatient);
      socket.write(bytes);
      const startedMs = performance.now();
      await readToEnd(socket);
      assert.ok(performance.now() - startedMs < DEFAULT_HEADERS_TIMEOUT_MS, 'the connection stayed');
    }
    await impatient.stop();
  });

  it('refuses a head beyond its bound', async () => {
    assert.equal((await get(task, { 'X-Filler': 'x'.repeat(9000) })).status, 431);
  });

  it('forgets a request whose client resets its connection while it waits', async () => {
    const { patient, socket } = await waitForPiece();
    socket.resetAndDestroy();
    await patient.settled();
    assert.equal(await patient.metric('dfpeer_upload_refused_total'), 0);
    await patient.stop();
  });

  it('forgets a request whose client just vanishes when the wait ends: its FIN may be a half-close', async () => {
    const { patient, socket } = await waitForPiece({ availabilityTimeoutMs: 300 });
    socket.destroy();
    await until('the connection to be closed', async () => (await patient.metric('dfpeer_upload_connections')) === 0);
    await patient.settled();
    assert.equal(await patient.metric('dfpeer_upload_waiting_for_piece'), 0);
    await patient.stop();
  });

  it('asks a request to come back later when too many wait for bytes that are being downloaded', async () => {
    const { patient, socket } = await waitForPiece({ maxWaitingForPiece: 1 });
    const missing = patient.source.add({ content: randomBytes(10), stored: [], downloading: true });
    const second = open(patient);
    second.write(httpRequest(missing.taskId, missing.layout.slice(0)));
    const { status, headers } = parseHttp(await readToEnd(second));
    assert.deepEqual([status, headers.get('retry-after')], [429, '1']);
    socket.destroy();
    await patient.stop();
  });

  it('closes a kept connection whose client closes it, before the idle timeout', async () => {
    const patient = await startService({ fastLane: false });
    const small = patient.source.add({ content: randomBytes(10) });
    const socket = open(patient);
    socket.write(httpRequest(small.taskId, small.layout.slice(0), ''));
    await once(socket, 'readable');
    socket.destroy();
    await until('the connection to be closed', async () => (await patient.metric('dfpeer_upload_connections')) === 0);
    await patient.stop();
  });

  async function waitForPiece(
    bounds: Partial<UploadBounds> = {},
  ): Promise<{ patient: RunningService; socket: Socket }> {
    const patient = await startService({ bounds });
    const missing = patient.source.add({ content: randomBytes(10), stored: [], downloading: true });
    const socket = open(patient);
    socket.write(httpRequest(missing.taskId, missing.layout.slice(0)));
    await until('the request to wait', async () => (await patient.metric('dfpeer_upload_waiting_for_piece')) === 1);
    return { patient, socket };
  }

  it('shows what is being uploaded', async () => {
    const big = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
    const socket = open();
    socket.write(httpRequest(big.taskId, big.layout.slice(0)));
    const live = await firstLive(running);
    assert.deepEqual(
      [live.protocol, live.taskId, live.childIp, live.childPeerId, live.route, live.reason, live.offset, live.length],
      ['http', big.taskId, '127.0.0.1', 'a-child', 'sendfile', 'unthrottled', 0, 48 * MIB],
    );
    await until('bytes to be seen while they move', () => (running.service.list()[0]?.bytesSent ?? 0) > 0);
    socket.destroy();
    await running.settled();
    assert.deepEqual(running.service.list(), []);
  });
});
