import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { SendFileEngine } from '../../native/index.js';
import { DfpeerError } from '../../src/core/errors.js';
import { formatPieceDigest } from '../../src/core/piece.js';
import type { UploadBounds } from '../../src/upload/bounds.js';
import type { UploadServiceOptions } from '../../src/upload/index.js';
import type { Route, RouteReason } from '../../src/upload/route.js';
import {
  type PieceClient,
  fetchPiece,
  generalHttpClient,
  httpClient,
  readToEnd,
  vortexClient,
} from './support/clients.js';
import type { FileTask } from './support/file-piece-source.js';
import { type RunningService, firstLive, startService } from './support/service.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
const FAST = 400 * MIB;

interface RouteUnderTest {
  route: Route;
  reason: RouteReason;
  options: Partial<UploadServiceOptions>;
}

const routes: RouteUnderTest[] = [
  { route: 'sendfile', reason: 'unthrottled', options: {} },
  { route: 'copy', reason: 'limited', options: { rates: { total: FAST } } },
  { route: 'copy', reason: 'koffi-missing', options: { engine: { available: false, reason: 'koffi-missing' } } },
  { route: 'paced', reason: 'limited', options: { rates: { total: FAST }, limitedRoute: 'paced' } },
];

for (const client of [httpClient, generalHttpClient, vortexClient])
  for (const { route, reason, options } of routes)
    describe(`a piece over ${client.name} by the ${route} route (${reason})`, () => {
      let running: RunningService;
      let engine: SendFileEngine;

      // Its worker lives for all of them: to start one takes longer than most tests.
      before(() => {
        engine = new SendFileEngine({ workers: 1 });
      });
      after(() => engine.close());
      beforeEach(() => start());
      afterEach(() => running.stop());

      async function start(bounds: Partial<UploadBounds> = {}): Promise<void> {
        running = await startService({ engine: { available: true, engine }, ...options, bounds });
      }

      const fetch = (task: FileTask, number: number) =>
        fetchPiece(client, running, task.taskId, task.layout.slice(number));
      const labels = { protocol: client.protocol, route, reason };

      it('arrives byte for byte, with its digest, also the short last one', async () => {
        const task = running.source.add({ content: randomBytes(3 * MIB + 1), pieceLength: MIB });
        for (const slice of task.layout.all()) {
          const answer = await fetch(task, slice.number);
          assert.equal(answer.ok, true, answer.text);
          assert.ok(answer.body.equals(task.bytesOf(slice)), `piece ${slice.number} differs`);
          assert.equal(answer.digest, formatPieceDigest(crc32(answer.body)));
        }
      });

      it('is counted once: by route, in total, and in the limiter when there is one', async () => {
        const task = running.source.add({ content: randomBytes(2 * MIB + 77), pieceLength: MIB });
        const answers = await Promise.all(task.layout.all().map((slice) => fetch(task, slice.number)));
        await running.settled();
        const received = answers.reduce((sum, answer) => sum + answer.body.length, 0);
        assert.equal(received, task.content.length);
        assert.equal(await running.metric('dfpeer_upload_bytes_total', labels), received);
        assert.equal(await running.metric('dfpeer_upload_bytes_total'), received);
        assert.equal(await running.metric('dragonfly_client_upload_traffic'), received);
        assert.equal(running.service.limits.total.spentBytes, reason === 'limited' ? received : 0);
        assert.equal(await running.metric('dfpeer_upload_transfers_total', { ...labels, result: 'complete' }), 3);
        const task0 = { type: '0', tag: 'a tag', app: 'an app' };
        assert.equal(await running.metric('dragonfly_client_upload_task_total', task0), 3);
        assert.equal(await running.metric('dragonfly_client_concurrent_upload_piece_total'), 0);
      });

      it('starts with head and first bytes in one segment', async () => {
        const task = running.source.add({ content: randomBytes(1000) });
        const socket = client.ask(running, task.taskId, task.layout.slice(0));
        const chunks: number[] = [];
        const bytes = await readToEnd(socket, (chunk) => chunks.push(chunk.length));
        assert.equal(client.parse(bytes).ok, true);
        assert.equal(chunks[0], bytes.length, 'the head came on its own');
      });

      it('serves 24 children at once', async () => {
        const task = running.source.add({ content: randomBytes(4 * MIB), pieceLength: MIB });
        const numbers = Array.from({ length: 24 }, (_, index) => index % 4);
        const answers = await Promise.all(numbers.map((number) => fetch(task, number)));
        for (const [index, answer] of answers.entries())
          assert.ok(answer.body.equals(task.bytesOf(task.layout.slice(numbers[index] ?? 0))));
      });

      it('ends when the child goes away in the middle, and lets go of the task', async () => {
        const task = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
        const socket = client.ask(running, task.taskId, task.layout.slice(0));
        await firstLive(running);
        await new Promise((resolve) => socket.once('readable', resolve));
        socket.resetAndDestroy();
        await running.settled();
        assert.equal(await running.metric('dfpeer_upload_transfers_total', { ...labels, result: 'client-closed' }), 1);
        assert.equal(await running.metric('dragonfly_client_upload_task_failure_total'), 1);
        assert.equal((await fetch(running.source.add({ content: randomBytes(99) }), 0)).ok, true);
      });

      it('is cut off when the child stops reading', async () => {
        await running.stop();
        await start({ noProgressTimeoutMs: 300 });
        const task = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
        const socket = client.ask(running, task.taskId, task.layout.slice(0));
        socket.on('error', () => undefined);
        const cutOff = { ...labels, result: 'timed-out' };
        await until(
          'it to be cut off',
          async () => (await running.metric('dfpeer_upload_transfers_total', cutOff)) === 1,
        );
        await running.settled();
        socket.destroy();
      });

      it('breaks the connection when the file ends early, so that the child never takes it for complete', async () => {
        const task = running.source.add({ content: randomBytes(2 * MIB), pieceLength: 2 * MIB });
        task.truncate(MIB);
        const bytes = await readToEnd(client.ask(running, task.taskId, task.layout.slice(0)));
        assert.ok(bytes.length < 2 * MIB, 'the piece looks complete');
        await running.settled();
        assert.equal(await running.metric('dfpeer_upload_transfers_total', { ...labels, result: 'file-error' }), 1);
        assert.equal((await fetch(running.source.add({ content: randomBytes(99) }), 0)).ok, true);
      });

      it('is waited for while it is still being downloaded here', async () => {
        const task = running.source.add({
          content: randomBytes(MIB),
          pieceLength: MIB / 2,
          stored: [0],
          downloading: true,
        });
        const waiting = fetch(task, 1);
        await until('the request to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 1);
        task.store(1);
        assert.ok((await waiting).body.equals(task.bytesOf(task.layout.slice(1))));
      });
    });

for (const client of [httpClient, vortexClient] satisfies PieceClient[])
  describe(`a refusal over ${client.protocol}`, () => {
    let running: RunningService;
    const codes =
      client.protocol === 'http' ? { missing: 404, later: 503, busy: 429 } : { missing: 2, later: 3, busy: 3 };

    const start = async (options: Partial<UploadServiceOptions> = {}): Promise<void> => {
      running = await startService(options);
    };
    afterEach(() => running.stop());

    it('names a task that is not stored here', async () => {
      await start();
      const task = running.source.add({ content: randomBytes(10) });
      const unknown = `${'0'.repeat(63)}1` as typeof task.taskId;
      const answer = await fetchPiece(client, running, unknown, task.layout.slice(0));
      assert.equal(answer.code, codes.missing);
      assert.match(answer.text, /0001/);
    });

    it('comes at once for a piece that nobody is downloading', async () => {
      await start();
      const task = running.source.add({ content: randomBytes(200), pieceLength: 100, stored: [0] });
      const answer = await fetchPiece(client, running, task.taskId, task.layout.slice(1));
      assert.equal(answer.code, client.protocol === 'http' ? 503 : 2);
      await running.settled();
    });

    it('comes when a piece does not arrive in time, and when its download fails', async () => {
      await start({ bounds: { availabilityTimeoutMs: 50 } });
      const late = running.source.add({ content: randomBytes(100), stored: [], downloading: true });
      assert.equal((await fetchPiece(client, running, late.taskId, late.layout.slice(0))).code, codes.later);
      await running.stop();
      await start();
      const failing = running.source.add({ content: randomBytes(100), stored: [], downloading: true });
      const waiting = fetchPiece(client, running, failing.taskId, failing.layout.slice(0));
      await until('the request to wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 1);
      failing.fail('the origin is gone');
      const answer = await waiting;
      assert.match(answer.text, /the origin is gone/);
      await running.settled();
    });

    for (const { errno, cause, code } of [
      { errno: 'EIO', cause: 'disk', code: client.protocol === 'http' ? 500 : 3 },
      { errno: 'EMFILE', cause: 'out-of-files', code: codes.later },
    ])
      it(`comes when the store can't be read, and names nothing of it: ${errno}`, async () => {
        const systemError = Object.assign(new Error(errno), { code: errno });
        const open = (): never => {
          throw new DfpeerError('DFP_STORE_IO', 'a secret path', { cause: systemError });
        };
        await start({ source: { open } });
        const task = running.source.add({ content: randomBytes(10) });
        const answer = await fetchPiece(client, running, task.taskId, task.layout.slice(0));
        assert.equal(answer.code, code);
        assert.doesNotMatch(answer.text, /secret/);
        const { protocol } = client;
        assert.equal(await running.metric('dfpeer_upload_refused_total', { protocol, cause }), 1);
      });

    it('comes when slots and queue are full; one that waits in the queue is served', async () => {
      await start({ bounds: { maxConcurrentTransfers: 1, maxQueuedTransfers: 1 } });
      const big = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
      const small = running.source.add({ content: randomBytes(1000) });
      const holder = client.ask(running, big.taskId, big.layout.slice(0));
      await firstLive(running);
      const queued = fetchPiece(client, running, small.taskId, small.layout.slice(0));
      await until('one request to queue', async () => (await running.metric('dfpeer_upload_queue_length')) === 1);
      const refused = await fetchPiece(client, running, small.taskId, small.layout.slice(0));
      assert.equal(refused.code, codes.busy);
      holder.destroy();
      assert.equal((await queued).ok, true);
      assert.equal(
        await running.metric('dfpeer_upload_refused_total', { protocol: client.protocol, cause: 'busy' }),
        1,
      );
    });

    it('closes connections beyond the cap', async () => {
      await start({ bounds: { maxConnectionsPerIp: 1 } });
      const big = running.source.add({ content: randomBytes(48 * MIB), pieceLength: 48 * MIB });
      const holder = client.ask(running, big.taskId, big.layout.slice(0));
      await firstLive(running);
      assert.equal((await readToEnd(client.ask(running, big.taskId, big.layout.slice(0)))).length, 0);
      holder.destroy();
      await running.settled();
      await until(
        'the connection to be uncounted',
        async () => (await running.metric('dfpeer_upload_connections')) === 0,
      );
      assert.equal(
        await running.metric('dfpeer_upload_refused_total', { protocol: client.protocol, cause: 'connections' }),
        1,
      );
    });
  });
