import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { MAX_WORKER_DEATHS_IN_A_ROW, WORKER_REST_MS } from '../index.js';
import { spawnEngineWorker } from '../worker-lane.js';
import { openDescriptors, receive, requireNative, useNative, whenStalled } from './support.js';

const MIB = 1024 * 1024;

describe('when a worker dies', () => {
  before(function () {
    requireNative(this);
  });
  const native = useNative();

  it('its transfers fail with a code, the next one gets a new worker, and no descriptor is left', async () => {
    const file = native.sparseFile(16 * MIB);
    const workers: Worker[] = [];
    const engine = native.engine({
      workers: 1,
      inlineBytes: 0,
      spawnWorker: (input) => {
        const worker = spawnEngineWorker(input);
        workers.push(worker);
        return worker;
      },
    });
    const { server } = await native.pair();
    const other = await native.pair();
    const before = openDescriptors();
    const transfer = engine.start(server, file, { offset: 0, length: 16 * MIB });
    await whenStalled(transfer);
    const ended = workers[0]?.terminate();
    // A thread in epoll_wait can't be terminated before something wakes it.
    const second = engine.start(other.server, file, { offset: 0, length: 16 * MIB });
    await ended;
    for (const { done } of [transfer, second]) {
      const { outcome, error } = await done;
      assert.deepEqual([outcome, error?.code], ['failed', 'ERR_ENGINE_WORKER_DIED']);
    }
    assert.equal(openDescriptors(), before);

    const fresh = await native.pair();
    const [received, result] = await Promise.all([
      receive(fresh.client, 1000),
      engine.sendFile(fresh.server, file, { offset: 0, length: 1000 }),
    ]);
    assert.equal(received.length, 1000);
    assert.equal(result.outcome, 'complete');
    assert.deepEqual([engine.stats.workerDeaths, engine.stats.workers], [1, 1]);
  });

  it('before it ever ran, its transfers may be copied instead; after some in a row none is tried for a while', async () => {
    const file = native.file(1000);
    let [spawned, nowMs, isLucky] = [0, 0, false];
    const engine = native.engine({
      workers: 1,
      inlineBytes: 0,
      nowMs: () => nowMs,
      spawnWorker: (input) => {
        spawned++;
        return isLucky ? spawnEngineWorker(input) : new Worker('throw new Error("no such luck")', { eval: true });
      },
    });
    const { server } = await native.pair();
    const before = openDescriptors();
    for (let index = 0; index < MAX_WORKER_DEATHS_IN_A_ROW + 3; index++) {
      const result = await engine.sendFile(server, file, { offset: 0, length: 1000 });
      assert.deepEqual([result.outcome, result.bytesSent], ['unsupported', 0]);
      assert.equal(result.error?.code, 'ERR_ENGINE_WORKER_DIED');
    }
    assert.equal(spawned, MAX_WORKER_DEATHS_IN_A_ROW);
    assert.equal(openDescriptors(), before);
    isLucky = true;
    nowMs = WORKER_REST_MS - 1;
    assert.equal((await engine.sendFile(server, file, { offset: 0, length: 1000 })).outcome, 'unsupported');
    nowMs = WORKER_REST_MS;
    assert.equal((await engine.sendFile(server, file, { offset: 0, length: 1000 })).outcome, 'complete');
  });

  it('or can not be made at all, the transfer may be copied instead', async () => {
    const engine = native.engine({
      inlineBytes: 0,
      spawnWorker: () => {
        throw new Error('no threads left');
      },
    });
    const { server } = await native.pair();
    const before = openDescriptors();
    const result = await engine.sendFile(server, native.sparseFile(1000), { offset: 0, length: 1000 });
    assert.deepEqual([result.outcome, result.error?.code], ['unsupported', 'ERR_ENGINE_WORKER_DIED']);
    assert.equal(openDescriptors(), before + 1, 'only the file was opened');
  });

  it('or can not be made while another one runs, that one does its work as well; another is tried after a while', async () => {
    const file = native.sparseFile(16 * MIB);
    let [spawned, nowMs] = [0, 1];
    const engine = native.engine({
      workers: 2,
      inlineBytes: 0,
      nowMs: () => nowMs,
      spawnWorker: (input) => {
        if (spawned++ > 0) throw new Error('no threads left');
        return spawnEngineWorker(input);
      },
    });
    const busy = engine.start((await native.pair()).server, file, { offset: 0, length: 16 * MIB });
    await whenStalled(busy);
    const { server, client } = await native.pair();
    const before = openDescriptors();
    for (const [sentAtMs, tried] of [
      [1, 2],
      [WORKER_REST_MS, 2],
      [WORKER_REST_MS + 1, 3],
    ] as const) {
      nowMs = sentAtMs;
      const [, { outcome }] = await Promise.all([
        receive(client, 1000),
        engine.sendFile(server, file, { offset: 0, length: 1000 }),
      ]);
      assert.deepEqual([outcome, spawned, engine.stats.workers], ['complete', tried, 1]);
    }
    assert.equal(openDescriptors(), before);
  });
});
