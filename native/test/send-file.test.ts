import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { MAX_HEAD_BYTES } from '../index.js';
import { receive, receiveAll, requireNative, sha256, useNative, whenStalled } from './support.js';

const MIB = 1024 * 1024;

describe('sending a file', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();

  for (const [where, inlineBytes] of [
    ['in a worker', 0],
    ['on the main thread at once', 64 * MIB],
  ] as const) {
    it(`sends exactly the bytes of any range, after any head, ${where}`, async () => {
      const size = 3 * MIB;
      const file = native.file(size);
      const engine = native.engine({ inlineBytes, quantumBytes: 256 * 1024 });
      const { server, client } = await native.pair();
      const range = fc
        .nat(size)
        .chain((offset) => fc.record({ offset: fc.constant(offset), length: fc.nat(size - offset) }));
      await fc.assert(
        fc.asyncProperty(range, fc.uint8Array({ maxLength: 4096, size: 'max' }), async ({ offset, length }, head) => {
          const received = receive(client, head.length + length);
          const result = await engine.sendFile(server, file, { offset, length, head });
          assert.deepEqual(result, { outcome: 'complete', bytesSent: length, headBytesSent: head.length });
          const expected = Buffer.concat([head, file.bytes.subarray(offset, offset + length)]);
          assert.equal(Buffer.compare(await received, expected), 0);
        }),
        { numRuns: 60 },
      );
    });
  }

  it('sends at once as much as its caller allows, and leaves the rest to a worker', async () => {
    const length = 24 * MIB;
    const file = native.file(length);
    const engine = native.engine({ inlineBytes: 0 });
    const started = async (inlineBytes: number): Promise<number> => {
      const { server, client } = await native.pair();
      const transfer = engine.start(server, file, { offset: 0, length, inlineBytes });
      const sentAtOnce = transfer.bytesSent;
      await receive(client, length);
      assert.deepEqual(await transfer.done, { outcome: 'complete', bytesSent: length, headBytesSent: 0 });
      return sentAtOnce;
    };
    // The engine's first worker takes milliseconds to start.
    assert.equal(await started(length - 1), 0);
    assert.ok((await started(length)) > 0);
    assert.equal(engine.stats.workerTransfers, 2);
  });

  it('waits for a slow reader and counts live what was sent', async () => {
    const length = 24 * MIB;
    const file = native.file(length);
    const { server, client } = await native.pair();
    const transfer = native.engine().start(server, file, { offset: 0, length });
    await whenStalled(transfer);
    const stalledAt = transfer.bytesSent;
    assert.ok(stalledAt > 0 && stalledAt < length, `stalled at ${stalledAt}`);
    const received = await receive(client, length);
    assert.equal((await transfer.done).outcome, 'complete');
    assert.equal(transfer.bytesSent, length);
    assert.equal(sha256(received), sha256(file.bytes));
  });

  it('is not held up by clients that do not read', async () => {
    const length = 16 * MIB;
    const file = native.file(length);
    const engine = native.engine({ workers: 1 });
    const slow = await Promise.all(Array.from({ length: 20 }, () => native.pair()));
    const stalled = slow.map(({ server }) => engine.start(server, file, { offset: 0, length }));
    await Promise.all(stalled.map(whenStalled));
    const { server, client } = await native.pair();
    const [received, result] = await Promise.all([
      receive(client, length),
      engine.sendFile(server, file, { offset: 0, length }),
    ]);
    assert.equal(result.outcome, 'complete');
    assert.equal(sha256(received), sha256(file.bytes));
    assert.equal(engine.activeTransfers, stalled.length);
  });

  it('gives every transfer its turn on one worker', async () => {
    const length = 64 * MIB;
    const file = native.sparseFile(length);
    const engine = native.engine({ workers: 1, quantumBytes: 64 * 1024 });
    const pairs = await Promise.all(Array.from({ length: 4 }, () => native.pair()));
    for (const { client } of pairs) client.on('data', () => undefined);
    const transfers = pairs.map(({ server }) => engine.start(server, file, { offset: 0, length }));
    await transfers[0]?.done;
    const shares = transfers.map((transfer) => transfer.bytesSent / length);
    assert.ok(Math.min(...shares) > 0.25, `shares when the first was done: ${shares.join(', ')}`);
    await Promise.all(transfers.map((transfer) => transfer.done));
  });

  it('stops at any byte and tells where, so that copying can go on from there', async () => {
    const length = 12 * MIB;
    const file = native.file(length);
    const engine = native.engine({ quantumBytes: 64 * 1024 });
    await fc.assert(
      fc.asyncProperty(fc.nat(length), async (stopAfter) => {
        const { server, client } = await native.pair();
        const received = receiveAll(client);
        const controller = new AbortController();
        const transfer = engine.start(server, file, { offset: 0, length, signal: controller.signal });
        while (transfer.bytesSent < stopAfter) await new Promise((resolve) => setImmediate(resolve));
        controller.abort();
        const { outcome, bytesSent } = await transfer.done;
        assert.ok(outcome === 'stopped' || (outcome === 'complete' && bytesSent === length), outcome);
        server.end(file.bytes.subarray(bytesSent));
        assert.equal(sha256(await received), sha256(file.bytes));
      }),
      { numRuns: 15 },
    );
  });

  it('stops a transfer that waits for its client', async () => {
    const file = native.sparseFile(16 * MIB);
    const { server } = await native.pair();
    const transfer = native.engine().start(server, file, { offset: 0, length: 16 * MIB });
    await whenStalled(transfer);
    transfer.stop();
    assert.equal((await transfer.done).outcome, 'stopped');
  });

  it('does not start when the signal was aborted before', async () => {
    const { server } = await native.pair();
    const options = { offset: 0, length: 10, signal: AbortSignal.abort() };
    const result = await native.engine().sendFile(server, native.file(10), options);
    assert.deepEqual(result, { outcome: 'stopped', bytesSent: 0, headBytesSent: 0 });
  });

  it('reports progress that never goes back, and never after the end', async () => {
    const length = 48 * MIB;
    const file = native.sparseFile(length);
    const { server, client } = await native.pair();
    client.on('data', () => undefined);
    const [seen, afterEnd]: [number[], number[]] = [[], []];
    let ended = false;
    const onProgress = (bytesSent: number): void => void (ended ? afterEnd : seen).push(bytesSent);
    const engine = native.engine({ progressIntervalMs: 1 });
    await engine.sendFile(server, file, { offset: 0, length, onProgress });
    ended = true;
    assert.ok(seen.length > 0);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    // Whatever the worker said of the first it said before the end of this one.
    await engine.sendFile(server, file, { offset: 0, length });
    assert.deepEqual(afterEnd, []);
  });

  for (const inlineBytes of [0, MIB])
    it(`has the next head wait for a client that is still taking the last answer (inline up to ${inlineBytes})`, async () => {
      const [file, next] = [native.file(16 * MIB), native.file(1000)];
      const engine = native.engine({ inlineBytes });
      const { server, client } = await native.pair();
      const length = 4 * MIB;
      let [unread, taken] = [0, length];
      // Until the socket takes nothing more.
      while (taken > 0) {
        const filling = engine.start(server, file, { offset: unread, length, inlineBytes: length });
        filling.stop();
        taken = (await filling.done).bytesSent;
        unread += taken;
      }
      const head = randomBytes(MAX_HEAD_BYTES);
      const transfer = engine.start(server, next, { offset: 0, length: 1000, head });
      const received = receive(client, unread + head.length + 1000);
      assert.deepEqual(await transfer.done, { outcome: 'complete', bytesSent: 1000, headBytesSent: head.length });
      const expected = Buffer.concat([file.bytes.subarray(0, unread), head, next.bytes]);
      assert.equal(sha256(await received), sha256(expected));
    });

  it('takes over more transfers than it has slots, one after the other', async () => {
    const file = native.file(300_000);
    const engine = native.engine({ workers: 1, slotsPerWorker: 2, inlineBytes: 0 });
    const pairs = await Promise.all(Array.from({ length: 12 }, () => native.pair()));
    const received = pairs.map(({ client }) => receive(client, 300_000));
    const results = await Promise.all(
      pairs.map(({ server }) => engine.sendFile(server, file, { offset: 0, length: 300_000 })),
    );
    for (const result of results) assert.equal(result.outcome, 'complete');
    for (const bytes of await Promise.all(received)) assert.equal(sha256(bytes), sha256(file.bytes));
  });
});
