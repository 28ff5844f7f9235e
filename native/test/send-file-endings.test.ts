import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { SyscallError } from '../index.js';
import { receive, requireNative, useNative, whenStalled } from './support.js';

const MIB = 1024 * 1024;

describe('how a transfer ends', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();

  for (const inlineBytes of [0, MIB]) {
    it(`says truncated when the file ends before the range (inline up to ${inlineBytes})`, async () => {
      const file = native.file(100_000);
      const { server, client } = await native.pair();
      const [result] = await Promise.all([
        native.engine({ inlineBytes }).sendFile(server, file, { offset: 40_000, length: 80_000 }),
        receive(client, 60_000),
      ]);
      assert.deepEqual(result, { outcome: 'truncated', bytesSent: 60_000, headBytesSent: 0 });
    });
  }

  it('says truncated when the file shrinks under a running transfer', async () => {
    const length = 32 * MIB;
    const file = native.sparseFile(length);
    const { server, client } = await native.pair();
    const transfer = native.engine().start(server, file, { offset: 0, length });
    await whenStalled(transfer);
    const writable = openSync(file.path, 'r+');
    ftruncateSync(writable, 0);
    closeSync(writable);
    client.on('data', () => undefined);
    const result = await transfer.done;
    assert.equal(result.outcome, 'truncated');
    assert.ok(result.bytesSent < length);
  });

  it('says closed when the peer resets the connection', async () => {
    const file = native.sparseFile(16 * MIB);
    const { server, client } = await native.pair();
    const transfer = native.engine().start(server, file, { offset: 0, length: 16 * MIB });
    await whenStalled(transfer);
    client.resetAndDestroy();
    const result = await transfer.done;
    assert.equal(result.outcome, 'closed');
    assert.ok(result.error instanceof SyscallError);
    assert.match(result.error.code, /^(ECONNRESET|EPIPE)$/);
    assert.equal(result.error.syscall, 'sendfile');
  });

  for (const [syscall, head] of [
    ['send', new Uint8Array(10)],
    ['sendfile', new Uint8Array(0)],
  ] as const)
    it(`says closed, and by which call it was told, of a peer that had gone before (${syscall})`, async () => {
      const { server, client } = await native.pair();
      client.resetAndDestroy();
      await once(client, 'close');
      const result = await native.engine().sendFile(server, native.file(10), { offset: 0, length: 10, head });
      assert.deepEqual([result.outcome, result.bytesSent, result.headBytesSent], ['closed', 0, 0]);
      assert.ok(result.error instanceof SyscallError);
      assert.equal(result.error.syscall, syscall);
    });

  it('says closed when the socket is destroyed while waiting', async () => {
    const file = native.sparseFile(16 * MIB);
    const { server, client } = await native.pair();
    const transfer = native.engine().start(server, file, { offset: 0, length: 16 * MIB });
    await whenStalled(transfer);
    server.destroy();
    assert.equal((await transfer.done).outcome, 'closed');
    client.resume();
    await once(client, 'close');
  });

  it('says closed for a socket that was closed before', async () => {
    const { server } = await native.pair();
    server.destroy();
    assert.equal(
      (await native.engine().sendFile(server, native.file(10), { offset: 0, length: 10 })).outcome,
      'closed',
    );
  });

  it('says unsupported, with the errno, for a file that sendfile cannot read', async () => {
    const { server } = await native.pair();
    const directory = openSync('.', 'r');
    for (const inlineBytes of [0, MIB]) {
      const engine = native.engine({ inlineBytes });
      const result = await engine.sendFile(server, { fd: directory }, { offset: 0, length: 10 });
      assert.equal(result.outcome, 'unsupported');
      assert.ok(result.error instanceof SyscallError);
      assert.deepEqual([result.error.syscall, result.error.code], ['sendfile', 'EINVAL']);
    }
    closeSync(directory);
  });

  it('refuses ranges, heads and sockets that cannot be meant', async () => {
    const { server } = await native.pair();
    const file = native.file(10);
    const engine = native.engine();
    await assert.rejects(engine.sendFile(server, file, { offset: -1, length: 1 }), RangeError);
    await assert.rejects(engine.sendFile(server, file, { offset: 0, length: 2 ** 53 }), RangeError);
    await assert.rejects(
      engine.sendFile(server, file, { offset: 0, length: 1, head: new Uint8Array(4097) }),
      RangeError,
    );
    while (server.write(Buffer.alloc(MIB)));
    await assert.rejects(engine.sendFile(server, file, { offset: 0, length: 1 }), { code: 'ERR_SOCKET_BUSY' });
  });

  for (const options of [
    ...[{ workers: 0 }, { workers: -1 }, { workers: 1.5 }, { quantumBytes: 0 }, { inlineBytes: -1 }],
    ...[{ prefetchBytes: Number.NaN }, { maxQueuedTransfers: 0 }, { progressIntervalMs: 0 }],
    ...[{ slotsPerWorker: 0 }, { slotsPerWorker: 3 }, { slotsPerWorker: 131_072 }],
  ])
    it(`refuses an engine with ${Object.entries(options).join().replace(',', ' ')}, by name and with a remedy`, () => {
      const [name = ''] = Object.keys(options);
      assert.throws(() => native.engine(options), {
        name: 'RangeError',
        message: new RegExp(`^${name} is .*; choose a .*, or leave it out$`),
      });
    });

  it('refuses what exceeds the queue, and lets go of what waits in it', async () => {
    const file = native.sparseFile(16 * MIB);
    const options = { offset: 0, length: 16 * MIB };
    const engine = native.engine({ workers: 1, slotsPerWorker: 1, maxQueuedTransfers: 2 });
    const pairs = await Promise.all(Array.from({ length: 4 }, () => native.pair()));
    const [running, stopped, closed, refused] = pairs.map(({ server }) => engine.start(server, file, options));
    assert.equal((await refused?.done)?.error?.code, 'ERR_ENGINE_OVERLOADED');
    stopped?.stop();
    assert.equal((await stopped?.done)?.outcome, 'stopped');
    pairs[2]?.server.destroy();
    assert.equal((await closed?.done)?.outcome, 'closed');
    assert.equal(engine.stats.queued, 0);
    running?.stop();
    await running?.done;
  });
});
