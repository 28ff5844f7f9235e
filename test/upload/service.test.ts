import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { Registry } from 'prom-client';
import { SendFileEngine } from '../../native/index.js';
import { UploadService } from '../../src/upload/index.js';
import { taskSizeLevel } from '../../src/upload/metrics.js';
import {
  fetchPiece,
  generalHttpClient,
  httpClient,
  httpRequest,
  parseHttp,
  readToEnd,
  vortexClient,
} from './support/clients.js';
import { type RunningService, firstLive, startService } from './support/service.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;

describe('the upload service', () => {
  let running: RunningService;

  beforeEach(async () => {
    running = await startService();
  });
  afterEach(() => running.stop());

  it('drains: finishes what runs, takes nothing new', async () => {
    const task = running.source.add({ content: randomBytes(32 * MIB), pieceLength: 32 * MIB });
    const idle: Socket = connect(running.httpPort, '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const socket = vortexClient.ask(running, task.taskId, task.layout.slice(0));
    await firstLive(running);
    assert.equal(await running.service.drain(20), false, 'nobody reads yet');
    const drained = running.service.drain(10_000);
    idle.write(httpRequest(task.taskId, task.layout.slice(0)));
    const refused = await readToEnd(idle);
    if (refused.length > 0) assert.equal(parseHttp(refused).status, 503);
    await assert.rejects(
      new Promise((resolve, reject) =>
        connect(running.httpPort, '127.0.0.1').on('connect', resolve).on('error', reject),
      ),
      { code: 'ECONNREFUSED' },
    );
    assert.ok(vortexClient.parse(await readToEnd(socket)).body.equals(task.content));
    assert.equal(await drained, true);
  });

  for (const client of [httpClient, generalHttpClient, vortexClient])
    it(`drains: tells those that wait for a slot or a piece, and finishes what runs (${client.name})`, async () => {
      const narrow = await startService({ bounds: { maxConcurrentTransfers: 1 } });
      const task = narrow.source.add({ content: randomBytes(24 * MIB), pieceLength: 24 * MIB });
      const missing = narrow.source.add({ content: randomBytes(10), stored: [], downloading: true });
      const holder = client.ask(narrow, task.taskId, task.layout.slice(0));
      await firstLive(narrow);
      const waiting = [
        client.ask(narrow, task.taskId, task.layout.slice(0)),
        client.ask(narrow, missing.taskId, missing.layout.slice(0)),
      ];
      await until('one to wait for a slot', async () => (await narrow.metric('dfpeer_upload_queue_length')) === 1);
      await until(
        'one to wait for a piece',
        async () => (await narrow.metric('dfpeer_upload_waiting_for_piece')) === 1,
      );
      const drained = narrow.service.drain(60_000);
      for (const socket of waiting) {
        const { ok, text } = client.parse(await readToEnd(socket));
        assert.deepEqual([ok, text.trim()], [false, 'this peer is shutting down; ask another one']);
      }
      assert.ok(client.parse(await readToEnd(holder)).body.equals(task.content));
      assert.equal(await drained, true);
      assert.equal(await narrow.metric('dfpeer_upload_refused_total', { cause: 'shutting-down' }), 2);
      await narrow.stop();
    });

  it('drains: gives a request that was pipelined behind a piece its refusal before it ends', async () => {
    const task = running.source.add({ content: randomBytes(32 * MIB), pieceLength: 32 * MIB });
    const socket = connect(running.httpPort, '127.0.0.1').pause();
    const piece = httpRequest(task.taskId, task.layout.slice(0), '');
    socket.write(`${piece}GET /else HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n`);
    await firstLive(running);
    const ended = running.service.drain(10_000).then(() => running.service.close());
    const answer = parseHttp(await readToEnd(socket));
    assert.ok(answer.body.equals(task.content));
    assert.equal(parseHttp(answer.rest).status, 404);
    await ended;
  });

  it('has given every answer when it says that it is drained', async () => {
    const missing = running.source.add({ content: randomBytes(10), stored: [], downloading: true });
    const clients = [httpClient, vortexClient];
    const answers = clients.map((client) =>
      readToEnd(client.ask(running, missing.taskId, missing.layout.slice(0))).then((bytes) => client.parse(bytes)),
    );
    await until('two requests to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 2);
    assert.equal(await running.service.drain(60_000), true);
    await running.service.close();
    for (const { text } of await Promise.all(answers)) assert.match(text, /shutting down/);
  });

  it('closes with uploads under way, and lets go of every task', async () => {
    const task = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
    const missing = running.source.add({ content: randomBytes(10), stored: [], downloading: true });
    const sockets = [httpClient, vortexClient].flatMap((client) => [
      client.ask(running, task.taskId, task.layout.slice(0)),
      client.ask(running, missing.taskId, missing.layout.slice(0)),
    ]);
    for (const socket of sockets) socket.on('error', () => undefined);
    await until('two uploads to run', () => running.service.list().length === 2);
    await until('two requests to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 2);
    await running.service.close();
    assert.deepEqual(running.service.list(), []);
    await running.settled();
    assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'complete' }), 0);
    for (const socket of sockets) socket.destroy();
  });

  it('finishes by copying what a broken engine leaves, and says so', async () => {
    const engine = new SendFileEngine({ workers: 1 });
    const broken = await startService({ engine: { available: true, engine } });
    const task = broken.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
    const socket = httpClient.ask(broken, task.taskId, task.layout.slice(0));
    await until('sendfile to begin', () => (broken.service.list()[0]?.bytesSent ?? 0) > 0);
    await engine.close();
    assert.ok(httpClient.parse(await readToEnd(socket)).body.equals(task.content));
    await broken.settled();
    const bySendfile = await broken.metric('dfpeer_upload_bytes_total', { route: 'sendfile' });
    const byCopy = await broken.metric('dfpeer_upload_bytes_total', { route: 'copy', reason: 'engine-failed' });
    assert.ok(bySendfile > 0 && byCopy > 0, `${bySendfile} by sendfile, ${byCopy} by copy`);
    assert.equal(bySendfile + byCopy, task.content.length);
    await broken.stop();
  });

  it('says which port is taken, and then listens nowhere', async () => {
    const other = new UploadService({
      source: running.source,
      engine: { available: false, reason: 'koffi-missing' },
      registry: new Registry(),
    });
    const taken = { ip: '127.0.0.1', port: running.vortexPort };
    await assert.rejects(other.start({ http: { ip: '127.0.0.1', port: 0 }, vortex: taken }), (error: Error) => {
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${running.vortexPort} .*another process has the port`));
      return 'code' in error && error.code === 'DFP_LISTEN';
    });
    await other.close();
  });

  it('takes a limit at the speed of the interface as none', async () => {
    running.service.setRates({ total: 50e9, perTask: 50e9, perChildIp: 50e9, interface: 125_000_000 });
    const task = running.source.add({ content: randomBytes(MIB) });
    await fetchPiece(httpClient, running, task.taskId, task.layout.slice(0));
    await running.settled();
    assert.equal(
      await running.metric('dfpeer_upload_transfers_total', { route: 'sendfile', reason: 'unthrottled' }),
      1,
    );
    assert.equal(await running.metric('dfpeer_upload_limit_bytes_per_second'), 0);
    assert.equal(await running.metric('dragonfly_client_upload_task_total'), 1);
    assert.equal(await running.metric('dragonfly_client_concurrent_upload_task_total'), 0);
  });

  it('lets go of its share of every limit once an upload has ended', async () => {
    const { limits } = running.service;
    const allow = limits.allow.bind(limits);
    let held = 0;
    limits.allow = (...whose) => {
      const { budget, release } = allow(...whose);
      held++;
      return { budget, release: () => (held--, release()) };
    };
    running.service.setRates({ perChildIp: 100 * MIB });
    const task = running.source.add({ content: randomBytes(10) });
    const fetched = fetchPiece(httpClient, running, task.taskId, task.layout.slice(0));
    await until('the upload to begin', async () => (await running.metric('dfpeer_upload_bytes_total')) === 10);
    await fetched;
    await running.settled();
    assert.equal(held, 0);
  });

  for (const rates of [{ total: 1024 }, { perTask: 1024 }, { perChildIp: 1024 }])
    it(`counts who waits for bandwidth, whichever limit it is (${Object.keys(rates).join()})`, async () => {
      running.service.setRates(rates);
      const task = running.source.add({ content: randomBytes(MIB) });
      const socket = httpClient.ask(running, task.taskId, task.layout.slice(0)).resume();
      await until(
        'the upload to wait for bandwidth',
        async () => (await running.metric('dfpeer_upload_waiting_for_bandwidth')) === 1,
      );
      socket.destroy();
      await running.settled();
      assert.equal(await running.metric('dfpeer_upload_waiting_for_bandwidth'), 0);
    });

  for (const client of [httpClient, generalHttpClient, vortexClient])
    it(`gives the only slot to one after the other (${client.name})`, async () => {
      const narrow = await startService({ bounds: { maxConcurrentTransfers: 1, queueTimeoutMs: 1000 } });
      const task = narrow.source.add({ content: randomBytes(10) });
      for (let turn = 0; turn < 2; turn++)
        assert.ok((await fetchPiece(client, narrow, task.taskId, task.layout.slice(0))).ok);
      await narrow.stop();
    });

  it('refuses limits that can never be kept', () => {
    assert.throws(() => running.service.setRates({ total: 0 }), { code: 'DFP_INVALID_ARGUMENT' });
    assert.throws(() => running.service.setRates({ perTask: Number.NaN }), { code: 'DFP_INVALID_ARGUMENT' });
  });

  it("files durations under Dragonfly's size levels", () => {
    const levels = [0, 1, MIB, 4 * MIB, 1024 * MIB, 4096 * MIB, 1024 * 1024 * MIB, undefined];
    assert.deepEqual(levels.map(taskSizeLevel), [0, 1, 2, 3, 11, 12, 20, 0]);
  });
});
