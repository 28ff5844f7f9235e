import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { FastLane } from '../../src/upload/http/fast-lane.js';
import type { Serving } from '../../src/upload/serving.js';
import type { UploadOutcome, UploadResult } from '../../src/upload/transfer/upload.js';
import { httpRequest } from './support/clients.js';
import { FilePieceSource, type FileTask } from './support/file-piece-source.js';

const FIRST_REQUEST_TIMEOUT_MS = 5000;
const KEEP_ALIVE_TIMEOUT_MS = 400;
const CHUNK_BYTES = 10_000;

/** What a client sends is pushed, chunk by chunk. */
class FakeSocket extends Duplex {
  timeoutMs = 0;

  setTimeout(timeoutMs: number): this {
    this.timeoutMs = timeoutMs;
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }

  override _read(): void {
    // Nothing comes but what is pushed.
  }

  override _write(_: unknown, __: unknown, done: () => void): void {
    done();
  }
}

describe('a connection in the fast lane', () => {
  let source: FilePieceSource;
  let task: FileTask;
  let lane: FastLane;
  let socket: FakeSocket;
  /** Ends the answer that is under way. */
  let ends: ((result: UploadResult) => void)[];
  let left: Buffer[];
  let isFull: boolean;

  beforeEach(() => {
    source = new FilePieceSource();
    task = source.add({ content: randomBytes(1000) });
    [ends, left, isFull] = [[], [], false];
    const serving: Pick<Serving, 'tryOpen' | 'trySend'> = {
      tryOpen: (taskId) => source.open(taskId),
      trySend: () =>
        isFull ? undefined : new Promise((resolve) => ends.push((result) => resolve({ result } as UploadOutcome))),
    };
    lane = new FastLane({
      serving: serving as Serving,
      maxHeadBytes: 8192,
      firstRequestTimeoutMs: FIRST_REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: KEEP_ALIVE_TIMEOUT_MS,
      leave: (_, unanswered) => left.push(unanswered),
    });
    socket = new FakeSocket();
    lane.enter(socket as unknown as Socket);
  });
  afterEach(() => {
    socket.destroy();
    source.dispose();
  });

  const request = (): string => httpRequest(task.taskId, task.layout.slice(0), '');
  const turn = (): Promise<void> => new Promise(setImmediate);

  async function receive(bytes: string | Buffer): Promise<void> {
    socket.push(bytes);
    await turn();
  }

  async function end(result: UploadResult = 'complete'): Promise<void> {
    ends.shift()?.(result);
    await turn();
  }

  it('answers one request after the other, and the next one when it came early', async () => {
    await receive(request());
    await receive(request());
    assert.equal(ends.length, 1);
    await end();
    assert.equal(ends.length, 1);
    await end();
    assert.equal(ends.length, 0);
    await receive(request());
    assert.equal(ends.length, 1);
    assert.deepEqual([left, socket.destroyed], [[], false]);
  });

  it('answers with a piece that is on its way, to who takes it in blocks', async () => {
    const other = source.add({ content: randomBytes(1000), stored: [] });
    other.arrive(0).bring();
    await receive(httpRequest(other.taskId, other.layout.slice(0), 'Dfpeer-Blocks: arriving\r\n'));
    assert.deepEqual([ends.length, left], [1, []]);
    await end();
    await receive(httpRequest(other.taskId, other.layout.slice(0), ''));
    assert.deepEqual([ends.length, left.length], [0, 1]);
  });

  it('reads one chunk more than the request that is answered, whatever the client sends', async () => {
    await receive(request());
    for (let chunks = 0; chunks < 10; chunks++) await receive(Buffer.alloc(CHUNK_BYTES));
    assert.equal(socket.readableLength, 9 * CHUNK_BYTES);
    await end();
    assert.deepEqual(left, [Buffer.alloc(CHUNK_BYTES)]);
    assert.equal(socket.readableLength, 9 * CHUNK_BYTES);
  });

  it('waits a while for a request, and for none while it answers', async () => {
    assert.equal(socket.timeoutMs, FIRST_REQUEST_TIMEOUT_MS);
    await receive(request());
    socket.emit('timeout');
    assert.equal(socket.destroyed, false);
    await end();
    assert.equal(socket.timeoutMs, KEEP_ALIVE_TIMEOUT_MS);
    socket.emit('timeout');
    assert.equal(socket.destroyed, true);
  });

  it('goes to the general server with no timeout and no pin where all uploads are taken', async () => {
    isFull = true;
    await receive(request());
    assert.deepEqual(left.map(String), [request()]);
    assert.equal(socket.timeoutMs, 0);
    assert.equal(task.pins, 0);
    socket.emit('timeout');
    assert.equal(socket.destroyed, false);
  });

  for (const [what, ask] of [
    ['what is no piece', () => 'GET /else HTTP/1.1\r\nHost: a\r\n\r\n'],
    [
      'an unknown task',
      () =>
        request()
          .replaceAll(task.taskId, 'abc'.padEnd(64, '0'))
          .replace(/download\/.../, 'download/abc'),
    ],
    ['what is beyond the end', () => request().replace(/bytes=.*/, 'bytes=2000-3000')],
    [
      'a piece of which nothing is here',
      () => {
        const { taskId, layout } = source.add({ content: randomBytes(9), stored: [] });
        return httpRequest(taskId, layout.slice(0), 'Dfpeer-Blocks: always\r\n');
      },
    ],
    [
      'what is not stored',
      () => httpRequest(source.add({ content: randomBytes(9), stored: [] }).taskId, task.layout.slice(0), ''),
    ],
  ] as const)
    it(`goes to the general server for ${what}`, async () => {
      const asked = ask();
      await receive(asked);
      assert.deepEqual([left.map(String), source.pins], [[asked], 0]);
    });

  it('is closed after its last answer: the client said so, or has closed its half', async () => {
    await receive(httpRequest(task.taskId, task.layout.slice(0)));
    await end();
    assert.equal(socket.destroyed, true);
    socket = new FakeSocket();
    lane.enter(socket as unknown as Socket);
    await receive(request());
    socket.push(null);
    await turn();
    assert.equal(socket.destroyed, false);
    await end();
    assert.equal(socket.destroyed, true);
  });

  it('is closed when the client closes its half between two requests', async () => {
    socket.push(null);
    await turn();
    assert.equal(socket.destroyed, true);
  });

  it('is forgotten when it breaks, and ended with all others', async () => {
    const other = new FakeSocket();
    lane.enter(other as unknown as Socket);
    socket.destroy(new Error('reset'));
    await turn();
    lane.destroyAll();
    assert.equal(other.destroyed, true);
    await turn();
    lane.closeIdle();
    assert.deepEqual(left, []);
  });

  it('is closed when an answer was cut short', async () => {
    await receive(request());
    await end('stopped');
    assert.equal(socket.destroyed, true);
    assert.equal(task.pins, 0);
  });

  for (const [when, isAsked] of [
    ['a connection that has asked nothing yet is told why not', false],
    ['an idle one is closed', true],
  ] as const)
    it(`when the service ends: ${when}`, async () => {
      if (isAsked) await receive(request());
      await end();
      lane.closeIdle();
      assert.deepEqual([left.length, socket.destroyed], isAsked ? [0, true] : [1, false]);
    });

  it('is closed after its answer when the service ends meanwhile', async () => {
    await receive(request());
    lane.closeIdle();
    assert.equal(socket.destroyed, false);
    await end();
    assert.equal(socket.destroyed, true);
  });
});
