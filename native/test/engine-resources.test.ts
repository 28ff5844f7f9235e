import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fsyncSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { SendFileEngine } from '../index.js';
import { POSIX_FADV_DONTNEED } from '../linux-abi.js';
import { loadLibc } from '../load-libc.js';
import { PageCache } from '../page-cache.js';
import { openDescriptors, requireNative, useNative, whenStalled } from './support.js';

const MIB = 1024 * 1024;

describe('what the engine holds', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();

  it('neither leaks nor double-closes a descriptor over 10,000 aborted transfers', async () => {
    const length = MIB;
    const file = native.sparseFile(length);
    const engine = native.engine({ inlineBytes: 0, quantumBytes: 16 * 1024 });
    const pairs = await Promise.all(Array.from({ length: 50 }, () => native.pair()));
    // Half of the clients read, so that stops come in the middle of sending and of waiting.
    for (const { client } of pairs.slice(0, 25)) client.on('data', () => undefined);
    const round = async (index: number): Promise<void> => {
      const transfers = pairs.map(({ server }) => engine.start(server, file, { offset: 0, length }));
      if (index % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const transfer of transfers) transfer.stop();
      for (const { outcome } of await Promise.all(transfers.map((transfer) => transfer.done))) {
        assert.match(outcome, /^(stopped|complete)$/);
      }
    };
    await round(0);
    const before = openDescriptors();
    for (let index = 0; index < 200; index++) await round(index);
    assert.equal(openDescriptors(), before);
    assert.equal(engine.activeTransfers, 0);
  });

  it('closes every duplicate when sockets are destroyed under their transfers', async () => {
    const length = 16 * MIB;
    const file = native.sparseFile(length);
    const engine = native.engine({ inlineBytes: 0 });
    await engine.sendFile((await native.pair()).server, file, { offset: 0, length: 1024 });
    const before = openDescriptors();
    for (let round = 0; round < 5; round++) {
      const pairs = await Promise.all(Array.from({ length: 20 }, () => native.pair()));
      const transfers = pairs.map(({ server }) => engine.start(server, file, { offset: 0, length }));
      const closed = pairs.flatMap(({ server, client }) => [once(server, 'close'), once(client, 'close')]);
      for (const { server, client } of pairs) {
        server.destroy();
        client.destroy();
      }
      await Promise.all([...transfers.map((transfer) => transfer.done), ...closed]);
    }
    assert.equal(openDescriptors(), before);
  });

  it('keeps the event loop free while 64 clients read cold files', async () => {
    const length = 4 * MIB;
    const files = Array.from({ length: 64 }, () => native.file(length));
    const cold = files.map(({ fd }) => evict(fd, length)).every(Boolean);
    if (!cold) console.warn('the temporary directory is memory: these files are warm');
    const engine = native.engine();
    const server = createServer((socket) => {
      const file = files.pop();
      assert.ok(file);
      void engine.sendFile(socket, file, { offset: 0, length }).then(() => socket.end());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const idle = await startIdleLoop();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const received = await drainElsewhere((server.address() as AddressInfo).port, files.length);
    delay.disable();
    server.close();
    assert.equal(received, 64 * length);
    const p99 = delay.percentile(99) / 1e6;
    const idleP99 = await idle.p99();
    assert.ok(p99 < Math.max(20, 4 * idleP99), `p99 ${p99} ms, of a loop without work ${idleP99} ms`);
  });

  it('is one listener for the exit of the process, however many workers: Node warns of more than ten', async () => {
    const workers: Worker[] = [];
    const file = native.sparseFile(1000);
    const engine = native.engine({
      workers: 12,
      inlineBytes: 0,
      slotsPerWorker: 1,
      spawnWorker: () => {
        const worker = new Worker(`require('node:worker_threads').parentPort.once('message', () => process.exit())`, {
          eval: true,
        });
        workers.push(worker);
        return worker;
      },
    });
    const before = process.listenerCount('exit');
    const transfers = [];
    for (let index = 0; index < 12; index++)
      transfers.push(engine.start((await native.pair()).server, file, { offset: 0, length: 1000 }));
    assert.equal(engine.stats.workers, 12);
    assert.equal(process.listenerCount('exit'), before + 1);
    for (const worker of workers) worker.postMessage('end');
    await Promise.all(transfers.map(({ done }) => done));
    assert.equal(process.listenerCount('exit'), before);
  });

  it('ends running transfers on close(), and takes no more', async () => {
    const file = native.sparseFile(16 * MIB);
    const options = { offset: 0, length: 16 * MIB };
    const engine = new SendFileEngine();
    const before = openDescriptors();
    const { server } = await native.pair();
    const transfer = engine.start(server, file, options);
    await whenStalled(transfer);
    await Promise.all([engine.close(), engine.close()]);
    assert.equal((await transfer.done).outcome, 'stopped');
    const refused = await engine.sendFile(server, file, options);
    assert.deepEqual([refused.outcome, refused.error?.code], ['unsupported', 'ERR_ENGINE_CLOSED']);
    assert.equal(openDescriptors(), before + 2 + 1, 'only the pair and its listener stay');
  });
});

/** What a loop of another thread, with nothing to do, waits for the processor meanwhile: the machine's share of any delay. */
async function startIdleLoop(): Promise<{ p99: () => Promise<number> }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const delay = require('node:perf_hooks').monitorEventLoopDelay({ resolution: 1 });
     delay.enable();
     parentPort.once('message', () => parentPort.postMessage(delay.percentile(99) / 1e6));
     parentPort.postMessage('ready');`,
    { eval: true },
  );
  await once(worker, 'message');
  return {
    p99: async () => {
      worker.postMessage('report');
      const [milliseconds] = (await once(worker, 'message')) as [number];
      return milliseconds;
    },
  };
}

/** Drops a file's pages from the page cache; false on a file system that is nothing but memory. */
function evict(fd: number, length: number): boolean {
  const load = loadLibc();
  assert.ok(load.available);
  fsyncSync(fd);
  load.libc.fadvise(fd, 0, length, POSIX_FADV_DONTNEED);
  return !new PageCache(load.libc).resident(fd, 0, length);
}

/** Connects so many clients in another thread, so that reading costs this event loop nothing; how much they got. */
async function drainElsewhere(port: number, clients: number): Promise<number> {
  const source = `
    const { connect } = require('node:net');
    const { parentPort } = require('node:worker_threads');
    let received = 0, open = ${clients};
    const buffer = Buffer.alloc(262144);
    const callback = (count) => { received += count; return true; };
    for (let index = 0; index < ${clients}; index++)
      connect({ port: ${port}, host: '127.0.0.1', onread: { buffer, callback } })
        .on('close', () => { if (--open === 0) parentPort.postMessage(received); });
  `;
  const [received] = (await once(new Worker(source, { eval: true }), 'message')) as [number];
  return received;
}
