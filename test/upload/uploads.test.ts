import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import type { SendFileResult, TransferEngine } from '../../native/index.js';
import { Uploads, type UploadsOptions } from '../../src/upload/transfer/uploads.js';
import type { PieceBlocks } from '../../src/upload/piece-source.js';
import type { UploadOutcome, UploadSpec } from '../../src/upload/transfer/upload.js';
import type { ByteRange } from '../../src/core/piece.js';
import { ManualClock } from '../support/manual-clock.js';

const TIMEOUT_MS = 3000;
const CHECK_MS = TIMEOUT_MS / 30;
const MIN_BYTES = 100;
const BLOCK_TIMEOUT_MS = 10 * TIMEOUT_MS;

/** Transfers that send as much as they are told, and end when they are stopped. */
class TestEngine {
  readonly transfers: { bytesSent: number; done: Promise<SendFileResult>; stop: () => void; complete: () => void }[] =
    [];

  start(): object {
    let end: (result: SendFileResult) => void = () => undefined;
    const done = new Promise<SendFileResult>((resolve) => (end = resolve));
    const endAs = (outcome: 'stopped' | 'complete') => (): void =>
      end({ bytesSent: transfer.bytesSent, headBytesSent: 0, outcome });
    const transfer = { bytesSent: 0, done, stop: endAs('stopped'), complete: endAs('complete') };
    this.transfers.push(transfer);
    return transfer;
  }
}

describe('running uploads', () => {
  let clock: ManualClock;
  let engine: TestEngine;
  let onLimits: (() => void) | undefined;
  let limitBytesPerSecond: number | undefined;
  let grants: Record<string, Promise<number>>;
  let ended: string[];
  let droppedBehind: ByteRange[];
  let uploads: Uploads;

  beforeEach(() => {
    clock = new ManualClock();
    engine = new TestEngine();
    limitBytesPerSecond = undefined;
    [grants, ended, droppedBehind] = [{}, [], []];
    const told = (who: string) => (outcome: UploadOutcome) => void ended.push(`${who}: ${outcome.result}`);
    const options = {
      engine: { available: true, engine: engine as unknown as TransferEngine },
      limits: {
        get limitBytesPerSecond() {
          return limitBytesPerSecond;
        },
        rates: {},
        onChange: (listener: () => void) => {
          onLimits = listener;
          return () => (onLimits = undefined);
        },
        allow: (_taskId: string, childIp: string) => ({
          budget: { take: () => grants[childIp], giveBack: () => undefined },
          release: () => undefined,
        }),
      },
      metrics: {
        started: () => undefined,
        bytes: () => undefined,
        finished: (_protocol: string, _task: object, outcome: UploadOutcome) => told('metrics')(outcome),
      },
      onUpload: () => told('listener'),
      dropBehind: {
        begin: ({ range }: { range: ByteRange }) => {
          droppedBehind.push(range);
          return told('page cache');
        },
      },
      ...{ clock, limitedRoute: 'paced', noProgressTimeoutMs: TIMEOUT_MS, minProgressBytes: MIN_BYTES },
      blockTimeoutMs: BLOCK_TIMEOUT_MS,
    };
    uploads = new Uploads(options as unknown as UploadsOptions);
  });

  async function send(childIp = '192.0.2.1', blocks?: PieceBlocks): Promise<UploadOutcome> {
    const task = { taskId: 'a'.repeat(64), file: { fd: 0 } };
    const spec = { protocol: 'http', socket: new Socket(), head: new Uint8Array(0), task, childIp, childPeerId: 'c' };
    return uploads.send({ ...spec, range: { offset: 0, length: 1000 }, blocks } as unknown as UploadSpec);
  }

  /** Of a piece that is on its way; only the first is here. */
  function twoBlocks(): PieceBlocks & { listeners: number } {
    return {
      ...{ slice: { number: 0, offset: 0, length: 1000 }, blockLength: 500, complete: false, listeners: 0 },
      sum: (index, signal) =>
        index === 0
          ? 7
          : new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
            }),
      onBroken() {
        this.listeners++;
        return () => this.listeners--;
      },
    };
  }

  it('are cut off where the client took too little for the whole timeout, however many run, and leave no timer', async () => {
    const idle = send();
    const slow = send();
    assert.equal(uploads.list()[0]?.sinceMs, clock.now());
    const [, busy] = engine.transfers;
    assert.ok(busy);
    clock.advance(TIMEOUT_MS);
    assert.equal(uploads.list().length, 2);
    busy.bytesSent += MIN_BYTES;
    clock.advance(CHECK_MS);
    const { result, durationMs } = await idle;
    assert.deepEqual([result, durationMs], ['timed-out', TIMEOUT_MS + CHECK_MS]);
    assert.deepEqual(ended, ['metrics: timed-out', 'listener: timed-out', 'page cache: timed-out']);
    busy.bytesSent += MIN_BYTES - 1;
    clock.advance(TIMEOUT_MS + CHECK_MS);
    assert.deepEqual([(await slow).result, uploads.size], ['timed-out', 0]);
    clock.advance(CHECK_MS);
    assert.equal(clock.pendingTimers, 0);
  });

  it('tell who waits for bandwidth and who for the client', async () => {
    limitBytesPerSecond = 1;
    grants = { '192.0.2.1': new Promise(() => undefined), '192.0.2.2': Promise.resolve(1000) };
    void send('192.0.2.1');
    void send('192.0.2.2');
    await new Promise(setImmediate);
    assert.deepEqual(
      uploads.list().map(({ waitingFor }) => waitingFor),
      ['bandwidth', 'client'],
    );
    assert.deepEqual([uploads.size, uploads.waitingForBandwidth], [2, 1]);
    assert.equal(new Set(uploads.list().map(({ id }) => id)).size, 2, 'they can be told apart');
  });

  it('wait for a block longer than for a client, and not for ever', async () => {
    const blocks = twoBlocks();
    const sending = send('192.0.2.1', blocks);
    await new Promise(setImmediate);
    const [first] = engine.transfers;
    assert.ok(first);
    first.bytesSent = 500;
    first.complete();
    await new Promise(setImmediate);
    const { waitingForPiece, waitingForBandwidth } = uploads;
    assert.deepEqual([uploads.list()[0]?.waitingFor, waitingForPiece, waitingForBandwidth], ['piece', 1, 0]);
    clock.advance(BLOCK_TIMEOUT_MS - 1);
    assert.deepEqual([uploads.size, blocks.listeners], [1, 1]);
    clock.advance(1);
    const { result, bytesSent, error } = await sending;
    assert.deepEqual([result, bytesSent, error, blocks.listeners], ['stopped', 500, undefined, 0]);
    assert.deepEqual(ended, ['metrics: stopped', 'listener: stopped', 'page cache: stopped']);
    clock.advance(CHECK_MS);
    assert.equal(clock.pendingTimers, 0);
  });

  it('wait for each block anew, and for none that has come', async () => {
    let come: ((sum: number) => void) | undefined;
    const sum = (): Promise<number> => new Promise((resolve) => (come = resolve));
    const sending = send('192.0.2.1', { ...twoBlocks(), sum });
    for (const count of [1, 2]) {
      await new Promise(setImmediate);
      clock.advance(BLOCK_TIMEOUT_MS - 1);
      come?.(7);
      await new Promise(setImmediate);
      assert.equal(clock.pendingTimers, 1, 'what looks at the client');
      assert.equal(uploads.list()[0]?.waitingFor, 'client');
      const transfer = engine.transfers[count - 1];
      assert.ok(transfer);
      transfer.bytesSent = 500;
      transfer.complete();
    }
    const { result, durationMs, waitedMs } = await sending;
    assert.deepEqual([result, engine.transfers.length], ['complete', 2]);
    assert.deepEqual([durationMs, waitedMs], [2 * (BLOCK_TIMEOUT_MS - 1), 2 * (BLOCK_TIMEOUT_MS - 1)]);
  });

  it('leave in the page cache what comes in while they run', async () => {
    const sending = [send('192.0.2.1', twoBlocks()), send('192.0.2.1', { ...twoBlocks(), complete: true }), send()];
    assert.deepEqual(
      droppedBehind.map(({ length }) => length),
      [0, 1000, 1000],
    );
    await uploads.stopAll();
    await Promise.all(sending);
  });

  it('end all together, and hear of no limit and no time any more', async () => {
    const running = [send(), send()];
    assert.ok(onLimits);
    await uploads.stopAll();
    assert.deepEqual([uploads.size, onLimits, clock.pendingTimers], [0, undefined, 0]);
    for (const { result } of await Promise.all(running)) assert.equal(result, 'stopped');
  });
});
