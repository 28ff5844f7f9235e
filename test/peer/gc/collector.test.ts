import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { link, rm, stat, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { Registry } from 'prom-client';
import { type Clock, systemClock } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { TaskId } from '../../../src/core/task-id.js';
import { Collector, MAX_STORED_TASKS, ROOM_RESERVE_BYTES, type GcSettings } from '../../../src/peer/gc/collector.js';
import { Quarantine } from '../../../src/peer/store/quarantine.js';
import { encodeRecord, taskKey } from '../../../src/peer/store/record-codec.js';
import type { StoredTask } from '../../../src/peer/store/stored-task.js';
import { TaskStore } from '../../../src/peer/store/task-store.js';
import { UploadService } from '../../../src/upload/index.js';
import { ManualClock } from '../../support/manual-clock.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';
import { storeTask } from '../store/fill-store.js';

const MIB = 1024 * 1024;
const settings: GcSettings = {
  intervalMs: 3_600_000,
  taskTtlMs: 3_600_000,
  thresholdBytes: 10 * MIB,
  highPercent: 80,
  lowPercent: 60,
};

describe('the collector', () => {
  const directory = useTemporaryDirectory();
  let store: TaskStore;
  let told: TaskId[];
  let reasons: string[];
  let nowMs: number;
  let freeBytes: number | Promise<number> | Error;

  beforeEach(async () => {
    nowMs = Date.UTC(2026, 0);
    freeBytes = 0;
    told = [];
    reasons = [];
    store = await TaskStore.openDirectory(directory(), { logger: silentLogger, clock });
  });
  afterEach(() => store.close());

  const clock = { ...systemClock, now: () => nowMs, monotonicMs: () => nowMs };

  function makeCollector(
    over: Partial<GcSettings> = {},
    itsClock: Clock = clock,
    maxTasks = MAX_STORED_TASKS,
  ): Collector {
    return new Collector(
      {
        store,
        maxTasks,
        quarantine: new Quarantine(directory()),
        onRemoved: async (taskId) => void told.push(taskId),
        onCollected: (reason) => void reasons.push(reason),
        freeBytes: async () => {
          if (freeBytes instanceof Error) throw freeBytes;
          return freeBytes;
        },
        clock: itsClock,
        logger: silentLogger,
      },
      { ...settings, ...over },
    );
  }

  /** Each used later than the one before. */
  async function fill(count: number, bytes: number): Promise<StoredTask[]> {
    const tasks: StoredTask[] = [];
    for (let index = 0; index < count; index++) {
      nowMs += 1000;
      tasks.push(
        await storeTask(store, { url: `http://example.com/${index}`, content: randomBytes(bytes), pieceLength: MIB }),
      );
    }
    return tasks;
  }

  it('brings the store below the low mark, least recently used first, and tells the scheduler', async () => {
    const tasks = await fill(5, 2 * MIB);
    const [first, second, third] = tasks;
    assert.ok(first && second && third);
    nowMs += 1000;
    store.open(first.taskId)?.release();
    await makeCollector().collect();
    assert.deepEqual(told, [second.taskId, third.taskId]);
    assert.equal(store.storedBytes, 6 * MIB);
    await assert.rejects(stat(second.path), { code: 'ENOENT' });
    await stat(first.path);
  });

  it('brings the store below the number of tasks that are kept in memory', async () => {
    const [first, second, third] = await fill(3, 1000);
    assert.ok(first && second && third);
    store.open(first.taskId)?.release();
    await makeCollector({}, clock, 2).collect();
    assert.deepEqual([told, reasons], [[second.taskId], ['count']]);
  });

  it('takes the quota of a changed configuration from then on', async () => {
    await fill(4, 2 * MIB);
    const collector = makeCollector();
    await collector.collect();
    assert.deepEqual(told, []);
    collector.configure({ ...settings, highPercent: 50, lowPercent: 20 });
    await collector.collect();
    assert.equal(store.storedBytes, 2 * MIB);
  });

  it('leaves a task alone while it is uploaded, and takes it afterwards', async () => {
    const content = randomBytes(16 * MIB);
    const task = await storeTask(store, { url: 'http://example.com/busy', content, pieceLength: 16 * MIB });
    const service = new UploadService({
      source: store,
      engine: { available: false, reason: 'koffi-missing' },
      registry: new Registry(),
    });
    const { httpPort } = await service.start({ http: { ip: '127.0.0.1', port: 0 } });
    const collector = makeCollector({ taskTtlMs: 1000 });
    try {
      const path = `/download/${task.taskId.slice(0, 3)}/${task.taskId}?peerId=test`;
      const [response] = (await once(get({ host: '127.0.0.1', port: httpPort, path }), 'response')) as [
        IncomingMessage,
      ];
      nowMs += 3_600_000;
      await collector.collect();
      assert.deepEqual(told, []);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      assert.ok(Buffer.concat(chunks).equals(content));
    } finally {
      await service.close();
    }
    assert.equal(task.pinned, false);
    nowMs += 2000;
    await collector.collect();
    assert.deepEqual(told, [task.taskId]);
  });

  it('leaves a task alone that somebody begins to use while others are removed', async () => {
    const [first, second] = await fill(2, MIB);
    assert.ok(first && second);
    const remove = store.remove.bind(store);
    store.remove = (taskId) => {
      second.pin();
      return remove(taskId);
    };
    nowMs += settings.taskTtlMs + 1000;
    await makeCollector().collect();
    assert.deepEqual(told, [first.taskId]);
  });

  it('takes none after a restart or a kill that was used not long before', async () => {
    const [restarted, killed, unused] = await fill(3, MIB);
    assert.ok(restarted && killed && unused);
    for (let use = 0; use < 3; use++) {
      nowMs += settings.taskTtlMs;
      store.open(killed.taskId)?.release();
    }
    await killed.written;
    // As a kill leaves it: nothing more is noted at the end.
    killed.markRemoved();
    nowMs += 1000;
    store.open(restarted.taskId)?.release();
    await store.close();
    store = await TaskStore.openDirectory(directory(), { logger: silentLogger, clock });
    await store.allSettled();
    assert.equal(store.get(restarted.taskId)?.lastUsedMs, nowMs);
    assert.equal(store.get(killed.taskId)?.lastUsedMs, nowMs - 1000);
    await makeCollector().collect();
    assert.deepEqual(told, [unused.taskId]);
  });

  it('knows of a use just before the end', async () => {
    const [task] = await fill(1, MIB);
    assert.ok(task);
    for (let use = 0; use < 20; use++) {
      nowMs += settings.taskTtlMs;
      store.open(task.taskId)?.release();
    }
    await store.close();
    store = await TaskStore.openDirectory(directory(), { logger: silentLogger, clock });
    await store.allSettled();
    assert.equal(store.get(task.taskId)?.lastUsedMs, nowMs);
  });

  it('takes none after a restart that was used while nobody had set the clock yet', async () => {
    nowMs = 0;
    const [task] = await fill(1, MIB);
    assert.ok(task);
    nowMs = Date.UTC(2026, 0);
    await store.close();
    store = await TaskStore.openDirectory(directory(), { logger: silentLogger, clock });
    await store.allSettled();
    await makeCollector().collect();
    assert.deepEqual(told, []);
    nowMs += settings.taskTtlMs + 1;
    await makeCollector().collect();
    assert.deepEqual(told, [task.taskId]);
  });

  it('goes by the last change of a task whose record is of an earlier version', async () => {
    const [task] = await fill(1, MIB);
    assert.ok(task);
    const earlier = encodeRecord({ ...task.record, lastUsedMs: undefined });
    await store.close();
    const db = new ClassicLevel(join(directory(), 'metadata'));
    await db.put(taskKey(task.taskId), earlier);
    await db.close();
    nowMs += 2 * settings.taskTtlMs;
    store = await TaskStore.openDirectory(directory(), { logger: silentLogger, clock });
    await store.allSettled();
    assert.equal(store.get(task.taskId)?.lastUsedMs, task.record.updatedAtMs);
    await makeCollector().collect();
    assert.deepEqual(told, [task.taskId]);
  });

  describe('asked for room', () => {
    it('removes what was not used for longest, as much as is lacking', async () => {
      const [first, second, third] = await fill(3, 2 * MIB);
      assert.ok(first && second && third);
      freeBytes = ROOM_RESERVE_BYTES + MIB;
      assert.equal(await makeCollector().makeRoom(4 * MIB), true);
      assert.deepEqual(told, [first.taskId, second.taskId]);
      assert.deepEqual(reasons, ['room', 'room']);
      assert.equal(third.removed, false);
    });

    it('removes nothing where there is enough already, or could not be', async () => {
      await fill(3, 2 * MIB);
      freeBytes = ROOM_RESERVE_BYTES + MIB;
      assert.equal(await makeCollector().makeRoom(MIB), true);
      assert.equal(await makeCollector().makeRoom(8 * MIB), false);
      assert.deepEqual(told, []);
    });

    it('does without what is in quarantine first', async () => {
      await fill(3, 2 * MIB);
      const damaged = join(directory(), 'quarantine', `${nowMs}-damaged`);
      await writeFile(damaged, randomBytes(4 * MIB));
      freeBytes = ROOM_RESERVE_BYTES;
      assert.equal(await makeCollector().makeRoom(3 * MIB), true);
      assert.deepEqual(told, []);
      await assert.rejects(stat(damaged), { code: 'ENOENT' });
    });

    it('leaves tasks in use, and those whose bytes an output holds as well', async () => {
      const [used, linked, other] = await fill(3, 2 * MIB);
      assert.ok(used && linked && other);
      const unpin = used.pin();
      await link(linked.path, join(directory(), 'output'));
      freeBytes = ROOM_RESERVE_BYTES;
      const collector = makeCollector();
      assert.equal(await collector.makeRoom(3 * MIB), false);
      assert.equal(await collector.makeRoom(2 * MIB), true);
      assert.deepEqual(told, [other.taskId]);
      unpin();
    });

    it('is not kept from it by a task whose file somebody has removed', async () => {
      const [lost, other] = await fill(2, 2 * MIB);
      assert.ok(lost && other);
      await rm(lost.path);
      freeBytes = ROOM_RESERVE_BYTES;
      assert.equal(await makeCollector().makeRoom(4 * MIB), true);
      assert.deepEqual(told, [lost.taskId, other.taskId]);
    });

    it('answers one after the other, also beside collections', async () => {
      const tasks = await fill(4, MIB);
      freeBytes = ROOM_RESERVE_BYTES;
      const collector = makeCollector({ intervalMs: 1 });
      collector.start();
      const [one, two] = await Promise.all([collector.makeRoom(MIB), collector.makeRoom(MIB)]);
      assert.deepEqual([one, two], [true, true]);
      assert.deepEqual(
        told,
        tasks.slice(0, 2).map(({ taskId }) => taskId),
      );
      await collector.stop();
    });

    it('says no when the disk can not be asked', async () => {
      await fill(1, MIB);
      freeBytes = new Error('EIO');
      assert.equal(await makeCollector().makeRoom(MIB), false);
      assert.deepEqual(told, []);
    });
  });

  it('leaves a task alone while it is downloaded', async () => {
    const [task] = await fill(1, 10 * MIB);
    assert.ok(task);
    await task.beginDownload();
    nowMs += 2 * settings.taskTtlMs;
    await makeCollector().collect();
    assert.deepEqual(told, []);
    task.endDownload();
  });

  it('goes on when an operator has removed the quarantine, with what it holds', async () => {
    await fill(5, 2 * MIB);
    await rm(join(directory(), 'quarantine'), { recursive: true });
    await makeCollector().collect();
    assert.equal(store.storedBytes, 6 * MIB);
  });

  it('does without what is in quarantine before it takes a task', async () => {
    await fill(3, 2 * MIB);
    const damaged = join(directory(), 'quarantine', `${nowMs}-damaged`);
    await writeFile(damaged, randomBytes(4 * MIB));
    await makeCollector().collect();
    assert.deepEqual(told, []);
    await assert.rejects(stat(damaged), { code: 'ENOENT' });
  });

  it('goes on when an operator has removed the quarantine altogether', async () => {
    await fill(5, 2 * MIB);
    await rm(join(directory(), 'quarantine'), { recursive: true });
    await makeCollector().collect();
    assert.equal(store.storedBytes, 6 * MIB);
    freeBytes = ROOM_RESERVE_BYTES;
    assert.equal(await makeCollector().makeRoom(MIB), true);
    assert.equal(store.storedBytes, 4 * MIB);
  });

  it('keeps what is in quarantine for as long as tasks are kept, where there is room', async () => {
    const damaged = join(directory(), 'quarantine', `${nowMs}-damaged`);
    await writeFile(damaged, randomBytes(MIB));
    const collector = makeCollector();
    await collector.collect();
    await stat(damaged);
    nowMs += settings.taskTtlMs + 1;
    await collector.collect();
    await assert.rejects(stat(damaged), { code: 'ENOENT' });
  });

  it('collects at the interval of a changed configuration, and ends a collection before it stops', async () => {
    const [task] = await fill(1, 10 * MIB);
    assert.ok(task);
    const collector = makeCollector();
    collector.start();
    const removed = new Promise<void>((resolve) => task.subscribe({ onStopped: () => resolve() }));
    collector.configure({ ...settings, intervalMs: 1 });
    await removed;
    await collector.stop();
    assert.deepEqual(told, [task.taskId]);
  });

  it('stops after the task that it is at, however many are left', async () => {
    for (const work of ['collect', 'makeRoom'] as const) {
      const tasks = await fill(4, 4 * MIB);
      const [first] = tasks;
      assert.ok(first);
      const collector = makeCollector();
      const stopped = new Promise<void>((resolve) =>
        first.subscribe({ onStopped: () => void collector.stop().then(resolve) }),
      );
      await (work === 'collect' ? collector.collect() : collector.makeRoom(4 * MIB));
      await stopped;
      assert.deepEqual(told, [first.taskId], work);
      for (const task of tasks) await store.remove(task.taskId);
      told = [];
    }
  });

  it('begins no collection once it is stopped, though one was due and waited for something else', async () => {
    await fill(1, 10 * MIB);
    const time = new ManualClock();
    const collector = makeCollector({}, time);
    let answer: (bytes: number) => void = () => undefined;
    freeBytes = new Promise((resolve) => (answer = resolve));
    collector.start();
    const made = collector.makeRoom(MIB);
    time.advance(settings.intervalMs);
    const stopped = collector.stop();
    answer(ROOM_RESERVE_BYTES + MIB);
    await Promise.all([made, stopped]);
    assert.deepEqual(told, []);
    assert.equal(time.pendingTimers, 0);
  });
});
