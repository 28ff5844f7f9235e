import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { BLOCK_SUM_BYTES, blockCount, blockLengthOf } from '../../src/core/piece-blocks.js';
import type { ByteRange } from '../../src/core/piece.js';
import type { LiveUpload } from '../../src/upload/index.js';
import type { PieceBlocks, PieceSource } from '../../src/upload/piece-source.js';
import { until } from '../support/until.js';
import { BlocksChild, frame, unframe } from './support/blocks-child.js';
import { type HttpAnswer, httpRequest, parseHttp, readToEnd } from './support/clients.js';
import type { ArrivingPiece, FileTask } from './support/file-piece-source.js';
import { type RunningService, startService } from './support/service.js';

const PIECE_LENGTH = 24 * 1024 * 1024;
const BLOCK_LENGTH = blockLengthOf(PIECE_LENGTH);
const FRAME_LENGTH = BLOCK_SUM_BYTES + BLOCK_LENGTH;

for (const fastLane of [true, false])
  describe(`the answer to a child that takes blocks (${fastLane ? 'fast lane' : 'general server'})`, () => {
    let running: RunningService;
    let task: FileTask;
    let arriving: ArrivingPiece;
    /** Those that nobody has taken back. */
    let brokenListeners: number;

    async function start(bounds = {}): Promise<void> {
      running = await startService({ fastLane, bounds });
      add(running);
    }
    function add({ source }: RunningService): void {
      ({ task, arriving } = source.addArriving(PIECE_LENGTH));
    }
    beforeEach(() => start());
    afterEach(() => running.stop());

    const uploads = (): LiveUpload[] => running.service.list();
    const waiting = (): Promise<void> =>
      until('an upload that waits for a block', () => uploads()[0]?.waitingFor === 'piece');
    const has = (bytes: number): Buffer => task.bytesOf({ offset: arriving.slice.offset, length: bytes });

    async function ask(range: ByteRange, wish: string, rewrite = (request: string) => request): Promise<HttpAnswer> {
      const socket = connect(running.httpPort, '127.0.0.1');
      const extra = `Dfpeer-Blocks: ${wish}\r\nConnection: close\r\n`;
      socket.write(rewrite(httpRequest(task.taskId, range, extra)));
      return parseHttp(await readToEnd(socket));
    }

    it('is a refusal at once, and no wait, where nothing of the piece is here', async () => {
      for (const wish of ['arriving', 'always']) {
        for (const number of [1, 2]) {
          const { status, headers, body } = await ask(task.layout.slice(number), wish);
          const told = [status, headers.get('retry-after'), headers.get('dfpeer-blocks')];
          assert.deepEqual(told, [503, '1', 'none'], String(body));
          assert.match(String(body), /not.*stored here/);
        }
      }
      assert.equal(await running.metric('dfpeer_upload_refused_total', { cause: 'not-available' }), 4);
      assert.equal(running.source.pins, 0);
    });

    it('waits as ever for who says nothing that is understood', async () => {
      const child = new BlocksChild(running);
      child.ask(task, arriving.slice, 'sometimes');
      await until('the wait', async () => (await running.metric('dfpeer_upload_waiting_for_piece')) === 1);
      arriving.finish();
      const { headers, body } = await child.answer();
      assert.ok(headers.get('dfpeer-blocks') === undefined && body.equals(task.bytesOf(arriving.slice)));
      child.socket.destroy();
    });

    it('is as ever for what is not exactly one piece, and for HEAD', async () => {
      arriving.finish();
      const { offset, length } = arriving.slice;
      for (const range of [
        { offset: offset + 1, length: length - 1 },
        { offset, length: length - 1 },
        { offset: 0, length: 2 * length },
        { offset, length: BLOCK_LENGTH },
      ]) {
        const { status, headers, body } = await ask(range, 'always');
        assert.deepEqual([status, headers.has('dfpeer-blocks'), body.length], [206, false, range.length]);
      }
      const head = await ask(arriving.slice, 'always', (request) => request.replace('GET', 'HEAD'));
      assert.deepEqual(
        [head.status, head.headers.has('dfpeer-blocks'), head.headers.get('content-length'), head.body.length],
        [206, false, String(PIECE_LENGTH), 0],
      );
    });

    it('has no blocks where the whole of one piece is asked for without a range', async () => {
      const small = running.source.add({ content: randomBytes(1000), stored: [] });
      small.arrive(0).finish();
      const request = httpRequest(
        small.taskId,
        small.layout.slice(0),
        'Dfpeer-Blocks: always\r\nConnection: close\r\n',
      );
      const child = new BlocksChild(running);
      child.socket.write(request.replace(/Range: .*\r\n/, ''));
      const { status, headers, body } = await child.answer();
      assert.deepEqual([status, headers.has('dfpeer-blocks'), body.equals(small.content)], [200, false, true]);
      assert.ok(headers.has('content-digest'));
    });

    it('has no digest of the content that the body is not', async () => {
      const small = running.source.add({ content: randomBytes(1000), stored: [] });
      small.arrive(0).finish();
      const child = new BlocksChild(running);
      child.ask(small, small.layout.slice(0), 'always');
      const { headers, body } = await child.answer();
      assert.deepEqual([headers.has('content-digest'), headers.has('repr-digest')], [false, true]);
      assert.ok(unframe(body, 1000, BLOCK_LENGTH).equals(small.content));
      child.socket.destroy();
    });

    it('is cut off in the middle of a block when the piece comes no further', async () => {
      const count = blockCount(PIECE_LENGTH, BLOCK_LENGTH) - 1;
      arriving.bring(count);
      const child = new BlocksChild(running);
      child.ask(task, arriving.slice, 'arriving');
      await child.body(1);
      child.socket.pause();
      assert.equal(uploads()[0]?.waitingFor, 'client');
      arriving.giveUp();
      await until('its end', () => uploads().length === 0);
      child.socket.resume();
      await child.closed;
      const { body } = await child.body(0);
      const isCut = body.length < count * FRAME_LENGTH;
      const frames = frame(has(count * BLOCK_LENGTH), BLOCK_LENGTH);
      assert.deepEqual([isCut, body.equals(frames.subarray(0, body.length))], [true, true]);
      await running.settled();
      assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'stopped' }), 1);
    });

    it('ends when no further block comes in time', async () => {
      await running.stop();
      await start({ availabilityTimeoutMs: 50 });
      arriving.bring();
      const child = new BlocksChild(running);
      child.ask(task, arriving.slice, 'arriving');
      await child.closed;
      const { body } = await child.body(0);
      assert.ok(unframe(body, PIECE_LENGTH, BLOCK_LENGTH).equals(has(BLOCK_LENGTH)));
      await running.settled();
      assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'stopped' }), 1);
    });

    /** A source that counts who listens for the end of a piece's blocks. */
    async function startCounting(): Promise<void> {
      await running.stop();
      brokenListeners = 0;
      const counting = (blocks: PieceBlocks): PieceBlocks => ({
        ...{ blockLength: blocks.blockLength, complete: blocks.complete },
        sum: (index, signal) => blocks.sum(index, signal),
        onBroken: (listener) => {
          brokenListeners++;
          const forget = blocks.onBroken(listener);
          return () => {
            brokenListeners--;
            forget();
          };
        },
      });
      const source: PieceSource = {
        open: (taskId) => {
          const view = running.source.open(taskId);
          if (view === undefined) return undefined;
          const blocks = view.blocks(1);
          return Object.assign(view, { blocks: () => (blocks === undefined ? undefined : counting(blocks)) });
        },
      };
      running = await startService({ fastLane, source });
      add(running);
    }

    it('ends with a client that leaves while a block is waited for, and leaves nothing behind', async () => {
      await startCounting();
      arriving.bring();
      const child = new BlocksChild(running);
      child.ask(task, arriving.slice, 'arriving');
      await child.body(FRAME_LENGTH);
      await waiting();
      assert.equal(brokenListeners, 1);
      child.socket.resetAndDestroy();
      await running.settled();
      assert.deepEqual([uploads(), brokenListeners], [[], 0]);
      assert.equal(await running.metric('dfpeer_upload_transfers_total', { result: 'client-closed' }), 1);
      await until('the connection to close', async () => (await running.metric('dfpeer_upload_connections')) === 0);
    });

    it('goes on for a client that has closed its half, and leaves nothing behind', async () => {
      await startCounting();
      arriving.bring();
      const child = new BlocksChild(running);
      child.ask(task, arriving.slice, 'arriving');
      await child.body(FRAME_LENGTH);
      child.socket.end();
      await once(child.socket, 'finish');
      await waiting();
      arriving.finish();
      const { body } = await child.answer();
      assert.ok(unframe(body, PIECE_LENGTH, BLOCK_LENGTH).equals(task.bytesOf(arriving.slice)));
      await running.settled();
      await until('the connection to close', async () => (await running.metric('dfpeer_upload_connections')) === 0);
      assert.equal(brokenListeners, 0);
    });

    for (const [what, status] of [
      ['lost', 503],
      ['stored', 206],
    ] as const)
      it(`is made anew when the piece is ${what} while its upload waits for a slot`, async () => {
        await running.stop();
        await start({ maxConcurrentTransfers: 1 });
        arriving.bring();
        const busy = new BlocksChild(running);
        busy.socket.pause();
        busy.ask(task, task.layout.slice(0), 'arriving');
        await until('the slot to be taken', () => uploads().length === 1);
        const child = new BlocksChild(running);
        child.ask(task, arriving.slice, 'arriving', 'Connection: close\r\n');
        await until('the wait', async () => (await running.metric('dfpeer_upload_queue_length')) === 1);
        if (what === 'lost') arriving.giveUp();
        else arriving.finish();
        busy.socket.destroy();
        const answer = await child.answer();
        assert.deepEqual(
          [answer.status, answer.headers.get('dfpeer-blocks')],
          [status, what === 'lost' ? 'none' : undefined],
        );
        if (status === 206) assert.ok(answer.body.equals(task.bytesOf(arriving.slice)));
        await running.settled();
      });

    it('tells the version of the content that a piece on its way is of', async () => {
      await running.stop();
      const source: PieceSource = {
        open: (taskId) => Object.assign(running.source.open(taskId) ?? assert.fail(), { contentVersion: 'v7' }),
      };
      running = await startService({ fastLane, source });
      add(running);
      arriving.bring();
      const child = new BlocksChild(running);
      child.ask(task, arriving.slice, 'arriving');
      assert.equal((await child.body(0)).headers.get('dfpeer-content-version'), 'v7');
      child.socket.destroy();
    });
  });
