import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import type { PieceSource } from '../../src/upload/piece-source.js';
import { type HttpAnswer, httpRequest, parseHttp, readToEnd } from './support/clients.js';
import type { FileTask } from './support/file-piece-source.js';
import { type RunningService, firstLive, startService } from './support/service.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('the fast lane for plain requests', () => {
  let running: RunningService;
  let general: RunningService;
  let task: FileTask;

  before(async () => {
    const bounds = { headersTimeoutMs: 5000, keepAliveTimeoutMs: 400 };
    running = await startService({ bounds });
    general = await startService({ bounds, fastLane: false });
    task = running.source.add({ content: randomBytes(MIB + 5), pieceLength: MIB / 2 });
  });
  after(() => Promise.all([running.stop(), general.stop()]));

  const open = (of = running): Socket => connect(of.httpPort, '127.0.0.1').setNoDelay();

  it('answers as Node’s HTTP server does', async () => {
    const same = general.source.add({ content: task.content, pieceLength: MIB / 2 });
    const requests = task.layout
      .all()
      .flatMap((slice) => [
        httpRequest(task.taskId, slice),
        httpRequest(task.taskId, { offset: slice.offset + 1, length: 3 }),
        httpRequest(task.taskId, slice).replace(/Range: .*\r\n/, ''),
      ]);
    for (const request of requests) {
      const [fast, slow] = await Promise.all([
        ask(open(), request),
        ask(
          open(general),
          request
            .replaceAll(task.taskId, same.taskId)
            .replace(/\/download\/.../, `/download/${same.taskId.slice(0, 3)}`),
        ),
      ]);
      assert.equal(fast.status, slow.status);
      assert.deepEqual([...fast.headers.keys()], [...slow.headers.keys()]);
      assert.equal(fast.headers.get('dfpeer-route'), 'sendfile; reason=unthrottled');
      for (const name of [
        ...['content-range', 'content-length', 'accept-ranges'],
        ...['dfpeer-piece-digest', 'dfpeer-route', 'connection'],
      ])
        assert.equal(fast.headers.get(name), slow.headers.get(name), name);
      assert.ok(fast.body.equals(slow.body));
    }
  });

  it('reads requests in pieces, two at once, and one that comes during an answer', async () => {
    const [first, second] = [task.layout.slice(0), task.layout.slice(1)];
    const [plain, last] = [httpRequest(task.taskId, first, ''), httpRequest(task.taskId, second)];
    const cuts = [
      [plain + last],
      [plain, last],
      [plain.slice(0, 9), plain.slice(9) + last],
      [plain + last.slice(0, 20), last.slice(20)],
    ];
    for (const parts of cuts) {
      const socket = open();
      for (const part of parts) {
        socket.write(part);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const answer = parseHttp(await readToEnd(socket));
      assert.ok(answer.body.equals(task.bytesOf(first)));
      assert.ok(parseHttp(answer.rest).body.equals(task.bytesOf(second)));
    }
  });

  /** Its FIN comes with its request. */
  function askAndEnd(request: string, of = running): Socket {
    return connect({ port: of.httpPort, host: '127.0.0.1', allowHalfOpen: true }).end(request);
  }

  for (const [lane, extra] of [
    ['here', ''],
    ['in the general server', 'Accept-Language: en\r\n'],
  ] as const)
    it(`finishes an answer for a client that has closed its half (${lane})`, async () => {
      const big = running.source.add({ content: randomBytes(8 * MIB), pieceLength: 8 * MIB });
      for (const length of [1000, 8 * MIB]) {
        const socket = askAndEnd(httpRequest(big.taskId, { offset: 0, length }, extra));
        assert.ok(parseHttp(await readToEnd(socket)).body.equals(big.content.subarray(0, length)));
      }
    });

  it('gives a client that has closed its half the piece that it waits for', async () => {
    const missing = running.source.add({ content: randomBytes(1000), stored: [], downloading: true });
    const socket = askAndEnd(httpRequest(missing.taskId, missing.layout.slice(0), ''));
    const halfClosed = once(socket, 'finish');
    await until('the request to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 1);
    await halfClosed;
    missing.store(0);
    assert.ok(parseHttp(await readToEnd(socket)).body.equals(missing.content));
  });

  it('closes a connection whose answer could not be made', async () => {
    const source: PieceSource = {
      open: () =>
        Object.assign(task.pin(), {
          piece: () => {
            throw new Error('a broken record');
          },
        }),
    };
    const broken = await startService({ source });
    const socket = open(broken);
    socket.write(httpRequest(task.taskId, task.layout.slice(0), ''));
    assert.equal((await readToEnd(socket)).length, 0);
    await until('the task to be released', () => task.pins === 0);
    await broken.stop();
  });

  it('closes a connection that asks nothing more', async () => {
    const socket = open();
    socket.write(httpRequest(task.taskId, task.layout.slice(0), ''));
    socket.resume();
    await once(socket, 'close');
  });

  it('leaves what it does not answer to the general server, with the connection', async () => {
    const socket = open();
    const missing = httpRequest(task.taskId, { offset: 2 * MIB, length: 5 }, '');
    socket.write(missing);
    await once(socket, 'readable');
    socket.write(httpRequest(task.taskId, task.layout.slice(0)));
    const answer = parseHttp(await readToEnd(socket));
    assert.equal(answer.status, 416);
    assert.equal(parseHttp(answer.rest).status, 206);
  });

  it('ends with the service: idle connections now, busy ones after their answer', async () => {
    const ending = await startService();
    const big = ending.source.add({ content: randomBytes(32 * MIB), pieceLength: 32 * MIB });
    const [busy, idle] = [open(ending), open(ending)];
    idle.write(httpRequest(big.taskId, { offset: 0, length: 10 }, ''));
    await once(idle, 'readable');
    busy.pause().write(httpRequest(big.taskId, { offset: 0, length: 32 * MIB }, ''));
    await firstLive(ending);
    const drained = ending.service.drain(10_000);
    await readToEnd(idle);
    assert.ok(parseHttp(await readToEnd(busy)).body.equals(big.content));
    assert.equal(await drained, true);
    await ending.stop();
  });
});

async function ask(socket: Socket, request: string): Promise<HttpAnswer> {
  socket.write(request);
  return parseHttp(await readToEnd(socket));
}
