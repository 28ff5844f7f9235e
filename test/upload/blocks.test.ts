import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { SendFileEngine } from '../../native/index.js';
import { BLOCK_SUM_BYTES, blockCount, blockLengthOf, bytesInBlocks } from '../../src/core/piece-blocks.js';
import { formatPieceDigest } from '../../src/core/piece.js';
import type { OnUpload, UploadServiceOptions } from '../../src/upload/index.js';
import type { Route } from '../../src/upload/route.js';
import { until } from '../support/until.js';
import { BlocksChild, unframe } from './support/blocks-child.js';
import type { ArrivingPiece, FileTask } from './support/file-piece-source.js';
import { type RunningService, startService } from './support/service.js';

const MIB = 1024 * 1024;
/** The last block is shorter. */
const PIECE_LENGTH = 900_001;
const BLOCK_LENGTH = blockLengthOf(PIECE_LENGTH);
const BLOCKS = blockCount(PIECE_LENGTH, BLOCK_LENGTH);
const FRAMES_LENGTH = bytesInBlocks(PIECE_LENGTH, BLOCK_LENGTH);

const routes: { route: Route; options: Partial<UploadServiceOptions> }[] = [
  { route: 'sendfile', options: {} },
  { route: 'copy', options: { engine: { available: false, reason: 'koffi-missing' } } },
  { route: 'copy', options: { rates: { total: 400 * MIB } } },
  { route: 'paced', options: { rates: { total: 400 * MIB }, limitedRoute: 'paced' } },
];

for (const fastLane of [true, false])
  for (const { route, options } of routes)
    describe(`a piece in blocks, ${route}${options.rates === undefined ? '' : ' within a limit'}, ${fastLane ? 'fast lane' : 'general server'}`, () => {
      let running: RunningService;
      let engine: SendFileEngine;
      let task: FileTask;
      let arriving: ArrivingPiece;
      let outcomes: string[];
      const onUpload: OnUpload =
        ({ range }) =>
        ({ result, bytesSent }) =>
          outcomes.push(`${range.offset}: ${result}, ${bytesSent}`);

      before(() => {
        engine = new SendFileEngine({ workers: 1 });
      });
      after(() => engine.close());
      beforeEach(async () => {
        outcomes = [];
        running = await startService({ engine: { available: true, engine }, ...options, fastLane, onUpload });
        ({ task, arriving } = running.source.addArriving(PIECE_LENGTH));
      });
      afterEach(() => running.stop());

      const waiting = (): Promise<void> =>
        until('an upload that waits for a block', () => running.service.list()[0]?.waitingFor === 'piece');

      it('goes out block by block as it comes, and is one upload', async () => {
        arriving.bring();
        const child = new BlocksChild(running);
        child.ask(task, arriving.slice, 'arriving');
        for (let count = 1; count < BLOCKS; count++) {
          const { body } = await child.body(count * (BLOCK_SUM_BYTES + BLOCK_LENGTH));
          await waiting();
          const bytes = unframe(body, PIECE_LENGTH, BLOCK_LENGTH);
          assert.ok(bytes.equals(task.bytesOf(arriving.slice).subarray(0, count * BLOCK_LENGTH)));
          assert.equal(await running.metric('dfpeer_upload_waiting_for_bandwidth'), 0);
          assert.equal(await running.metric('dfpeer_upload_waiting_for_piece'), 1);
          assert.equal(running.service.list()[0]?.bytesSent, bytes.length);
          if (count < BLOCKS - 1) arriving.bring();
        }
        arriving.finish();
        const { status, headers, body } = await child.answer();
        assert.ok(unframe(body, PIECE_LENGTH, BLOCK_LENGTH).equals(task.bytesOf(arriving.slice)));
        const told = ['content-length', 'content-range', 'dfpeer-blocks', 'dfpeer-piece-digest', 'content-digest'];
        assert.deepEqual(
          [status, ...told.map((name) => headers.get(name))],
          [
            206,
            String(FRAMES_LENGTH),
            `bytes ${PIECE_LENGTH}-${2 * PIECE_LENGTH - 1}/${task.content.length}`,
            String(BLOCK_LENGTH),
            ...[undefined, undefined],
          ],
        );
        assert.match(headers.get('dfpeer-route') ?? '', new RegExp(`^${route};`));
        await running.settled();
        assert.deepEqual(outcomes, [`${PIECE_LENGTH}: complete, ${PIECE_LENGTH}`]);
        assert.equal(await running.metric('dfpeer_upload_bytes_total', { route }), PIECE_LENGTH);
        assert.equal(await running.metric('dfpeer_upload_transfers_total', { route, result: 'complete' }), 1);
        assert.equal(await running.metric('dfpeer_upload_transfers_total'), 1);
        child.socket.destroy();
      });

      it('comes at once where it is stored, to who always wants blocks; whole to others; one after the other on one connection', async () => {
        arriving.finish();
        const child = new BlocksChild(running);
        child.ask(task, arriving.slice, 'always');
        const inBlocks = await child.answer();
        assert.equal(inBlocks.headers.get('dfpeer-blocks'), String(BLOCK_LENGTH));
        assert.ok(unframe(inBlocks.body, PIECE_LENGTH, BLOCK_LENGTH).equals(task.bytesOf(arriving.slice)));
        assert.equal(
          inBlocks.headers.get('dfpeer-piece-digest'),
          formatPieceDigest(crc32(task.bytesOf(arriving.slice))),
        );
        for (const [slice, wish] of [
          [arriving.slice, 'arriving'],
          [arriving.slice, 'else'],
          [task.layout.slice(0), 'always'],
        ] as const) {
          child.ask(task, slice, wish);
          const { headers, body } = await child.answer();
          assert.deepEqual([headers.get('dfpeer-blocks'), body.equals(task.bytesOf(slice))], [undefined, true]);
          assert.ok(headers.has('dfpeer-piece-digest'));
        }
        await running.settled();
        assert.equal(outcomes.length, 4);
        child.socket.destroy();
      });

      it('ends with its connection when it comes no further: nothing goes out but whole blocks', async () => {
        arriving.bring(2);
        const child = new BlocksChild(running);
        child.ask(task, arriving.slice, 'always');
        await child.body(2 * (BLOCK_SUM_BYTES + BLOCK_LENGTH));
        await waiting();
        arriving.giveUp();
        await child.closed;
        const { body } = await child.body(0);
        const bytes = unframe(body, PIECE_LENGTH, BLOCK_LENGTH);
        assert.ok(bytes.equals(task.bytesOf(arriving.slice).subarray(0, 2 * BLOCK_LENGTH)));
        await running.settled();
        assert.deepEqual(outcomes, [`${PIECE_LENGTH}: stopped, ${2 * BLOCK_LENGTH}`]);
      });

      it('changes its route between two blocks, and while it waits for one', async () => {
        const limitedRoute = route === 'copy' ? 'paced' : 'copy';
        const limited = options.engine === undefined ? limitedRoute : 'copy';
        const unlimited = options.engine === undefined ? 'sendfile' : 'copy';
        const has = (blocks: number): number => blocks * (BLOCK_SUM_BYTES + BLOCK_LENGTH);
        arriving.bring(2);
        const child = new BlocksChild(running);
        child.ask(task, arriving.slice, 'arriving');
        await child.body(has(2));
        await waiting();
        running.service.setLimitedRoute(limitedRoute);
        running.service.setRates({ total: 300 * MIB });
        assert.equal(running.service.list()[0]?.route, limited, 'the live view tells the next one');
        arriving.bring();
        await child.body(has(3));
        running.service.setRates({});
        arriving.finish();
        const { body } = await child.answer();
        assert.ok(unframe(body, PIECE_LENGTH, BLOCK_LENGTH).equals(task.bytesOf(arriving.slice)));
        await running.settled();
        const went = new Map<Route, number>([[route, 2 * BLOCK_LENGTH]]);
        went.set(limited, (went.get(limited) ?? 0) + BLOCK_LENGTH);
        went.set(unlimited, (went.get(unlimited) ?? 0) + PIECE_LENGTH - 3 * BLOCK_LENGTH);
        for (const [by, bytes] of went)
          assert.equal(await running.metric('dfpeer_upload_bytes_total', { route: by }), bytes, by);
        assert.deepEqual(outcomes, [`${PIECE_LENGTH}: complete, ${PIECE_LENGTH}`]);
        child.socket.destroy();
      });

      it('ends with the service while it waits', async () => {
        arriving.bring();
        const child = new BlocksChild(running);
        child.ask(task, arriving.slice, 'arriving');
        await waiting();
        await running.service.close();
        await child.closed;
        assert.deepEqual([outcomes.length, running.source.pins], [1, 0]);
      });
    });
