import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { messageOf } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import type { TaskId } from '../../src/core/task-id.js';
import {
  createSchedulerClient,
  FIRST_LOOK_TIMEOUT_MS,
  type DaemonSchedulerClient,
  type SchedulerClientOptions,
} from '../../src/scheduler-client/client.js';
import { HashRing } from '../../src/scheduler-client/hash-ring.js';
import { reannounceStoredTasks } from '../../src/scheduler-client/reannounce.js';
import { until } from '../support/until.js';
import { host, load, recordingLogger, registration, TASK_ID, taskIdFrom, type LogLine } from './support/fixtures.js';
import { ManualClock } from '../support/manual-clock.js';
import { ScriptedScheduler } from './support/scripted-scheduler.js';

describe('the scheduler client', () => {
  let schedulers: ScriptedScheduler[];
  let client: DaemonSchedulerClient;
  let joined: string[];

  beforeEach(() => {
    schedulers = [];
    joined = [];
  });

  afterEach(async () => {
    await client.stop();
    for (const scheduler of schedulers) scheduler.kill();
  });

  async function startSchedulers(count: number): Promise<ScriptedScheduler[]> {
    schedulers = await Promise.all(Array.from({ length: count }, () => ScriptedScheduler.start()));
    return schedulers;
  }

  async function startClient(options: Partial<SchedulerClientOptions> = {}): Promise<DaemonSchedulerClient> {
    client = createSchedulerClient({
      host,
      load: async () => load,
      source: { kind: 'static', addrs: schedulers.map(({ address }) => address) },
      build: { version: '1.0.0' },
      rejoinSpreadMs: 0,
      onSchedulerJoined: (address) => void joined.push(address),
      ...options,
    });
    await client.start();
    return client;
  }

  /** The scheduler that the ring makes responsible. */
  function responsible(taskId: string, among = schedulers): ScriptedScheduler {
    const port = new HashRing(among.map(({ port }) => ({ ip: '127.0.0.1', port }))).pick(taskId)?.port;
    const found = schedulers.find((scheduler) => scheduler.port === port);
    assert.ok(found);
    return found;
  }

  const health = (): Record<string, boolean> =>
    Object.fromEntries(client.status().map(({ address, healthy }) => [address, healthy]));

  /** Three tasks for each scheduler: ports are chance, so a scheduler's share of the ring is too. */
  function tasksForEach(): TaskId[] {
    const found = new Map(schedulers.map((scheduler) => [scheduler, [] as TaskId[]]));
    for (let prefix = 0; [...found.values()].some((list) => list.length < 3); prefix++) {
      const taskId = taskIdFrom(prefix.toString(16).padStart(5, '0'));
      const list = found.get(responsible(taskId));
      if (list !== undefined && list.length < 3) list.push(taskId);
    }
    return [...found.values()].flat();
  }

  it('announces the host to every scheduler at start, and again at each interval', async () => {
    const [first, second] = await startSchedulers(2);
    await startClient({ announceIntervalMs: 50 });
    for (const scheduler of [first, second]) {
      assert.equal(scheduler?.hosts[0]?.host?.id, host.id);
      assert.deepEqual(scheduler.hosts[0].interval, { seconds: 0, nanos: 50_000_000 });
      await scheduler.until(() => scheduler.hosts.length >= 3);
    }
    assert.deepEqual(joined.sort(), [first?.address, second?.address].sort());
  });

  it('says farewell to every scheduler when it stops, and fails the sessions that are open', async () => {
    await startSchedulers(2);
    await startClient();
    const session = await client.openSession(registration());
    await session.register();
    await client.stop();
    for (const scheduler of schedulers) assert.deepEqual(scheduler.deletedHosts, [host.id]);
    assert.equal((session.failed.reason as { code?: string }).code, 'DFP_SHUTTING_DOWN');
    await assert.rejects(client.openSession(registration()), { code: 'DFP_SHUTTING_DOWN' });
  });

  it('waits for no time to pass when it stops', async () => {
    await startSchedulers(1);
    await startClient({ clock: new ManualClock() });
    await client.stop();
    assert.deepEqual(schedulers[0]?.deletedHosts, [host.id]);
  });

  it('starts without a single scheduler, and finds one when it comes', async () => {
    const [scheduler] = await startSchedulers(1);
    scheduler?.kill();
    await startClient();
    await assert.rejects(client.openSession(registration()), {
      code: 'DFP_SCHEDULER_UNREACHABLE',
      message: new RegExp(String(scheduler?.address)),
    });
    assert.equal(client.status()[0]?.healthy, false);
    assert.ok(client.status()[0]?.lastError);
    await scheduler?.listen();
    await until('the host to be announced', () => client.status()[0]?.lastAnnouncedAtMs !== undefined);
    const session = await client.openSession(registration());
    assert.equal((await session.register()).kind, 'back-to-source');
    await session.finish('source');
  });

  it('lets no download wait for a scheduler that has said nothing in the first second', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const clock = new ManualClock();
    const addrs = [`127.0.0.1:${(silent.address() as AddressInfo).port}`];
    const starting = startClient({ source: { kind: 'static', addrs }, clock });
    await once(silent, 'connection');
    const atOnce = client.openSession(registration());
    clock.advance(FIRST_LOOK_TIMEOUT_MS - 1);
    const last = client.openSession(registration());
    clock.advance(1);
    await assert.rejects(atOnce, { code: 'DFP_SCHEDULER_UNREACHABLE' });
    await assert.rejects(last, { code: 'DFP_SCHEDULER_UNREACHABLE' });
    await assert.rejects(client.openSession(registration()), { code: 'DFP_SCHEDULER_UNREACHABLE' });
    await client.stop();
    await starting;
    silent.close();
  });

  it('names what should list the schedulers, and why it does not, while there is no list', async () => {
    let isListed = false;
    const lookup = async (): Promise<{ address: string; family: number }[]> => {
      if (!isListed) throw new Error('ENOTFOUND');
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const [scheduler] = await startSchedulers(1);
    const addr = `scheduler.test:${scheduler?.port}`;
    await startClient({ source: { kind: 'static', addrs: [addr] }, lookup, random: () => 0 });
    assert.deepEqual(
      client.status().map(({ address, healthy, lastError }) => ({ address, healthy, lastError })),
      [
        {
          address: addr,
          healthy: false,
          lastError: "the scheduler's name scheduler.test does not resolve; check scheduler.addr",
        },
      ],
    );
    assert.deepEqual(client.addresses(), [], 'nobody may claim to be a scheduler that has no address');
    isListed = true;
    await until('the scheduler to be found', () => health()[scheduler?.address ?? ''] === true);
    assert.equal(client.status().length, 1);
  });

  it('joins the schedulers whose names resolve, whatever becomes of the other names', async () => {
    const [scheduler] = await startSchedulers(1);
    const addrs = ['gone.test:8002', scheduler?.address ?? ''];
    const lines: LogLine[] = [];
    await startClient({
      source: { kind: 'static', addrs },
      lookup: async () => Promise.reject(new Error('ENOTFOUND')),
      logger: recordingLogger(lines),
    });
    assert.deepEqual(health(), { [scheduler?.address ?? '']: true });
    const warned = lines.filter(({ level }) => level === 'warn');
    assert.deepEqual(
      warned.map(({ fields }) => messageOf((fields as { err: unknown }).err)),
      ["the scheduler's name gone.test does not resolve; check scheduler.addr"],
    );
  });

  it('does not start with an address that is none', () => {
    assert.throws(
      () =>
        createSchedulerClient({
          host,
          load: async () => load,
          source: { kind: 'static', addrs: ['scheduler'] },
          build: { version: '1' },
        }),
      { code: 'DFP_CONFIG' },
    );
    client = createSchedulerClient({
      host,
      load: async () => load,
      source: { kind: 'static', addrs: ['127.0.0.1:1'] },
      build: { version: '1' },
    });
  });

  it('routes each task to the scheduler that the ring names', async () => {
    await startSchedulers(3);
    const tasks = tasksForEach();
    await startClient();
    for (const taskId of tasks) await client.announceStoredTask(registration({ taskId }));
    for (const scheduler of schedulers) {
      const seen = new Set(scheduler.messages.map((message) => message.taskId));
      const wanted = tasks.filter((taskId) => responsible(taskId) === scheduler);
      assert.deepEqual([...seen].sort(), [...wanted].sort());
    }
  });

  it('leaves an unhealthy scheduler out of the ring, and takes it back when it serves again', async () => {
    const [sick, ...others] = await startSchedulers(3);
    assert.ok(sick);
    sick.health.setStatus('', 'NOT_SERVING');
    await startClient();
    assert.equal(health()[sick.address], false);
    assert.equal(sick.hosts.length, 0);
    const tasks = tasksForEach();
    for (const taskId of tasks) {
      const before = responsible(taskId, others).messages.length;
      await client.announceStoredTask(registration({ taskId }));
      assert.ok(responsible(taskId, others).messages.length > before);
    }
    sick.health.setStatus('', 'SERVING');
    await until('the scheduler to join', () => joined.includes(sick.address));
    assert.equal(sick.hosts.length, 1);
    const moved = tasks.filter((taskId) => !client.isAnnounced(taskId));
    assert.deepEqual(
      moved,
      tasks.filter((taskId) => responsible(taskId) === sick),
    );
  });

  it('lets the others take over the tasks of a scheduler that dies', async () => {
    await startSchedulers(2);
    await startClient();
    const tasks = tasksForEach();
    const stored = tasks.map((taskId) => registration({ taskId }));
    await reannounceStoredTasks(client, stored, {
      signal: new AbortController().signal,
      logger: silentLogger,
      spacingMs: 0,
    });
    const [dead, survivor] = schedulers;
    assert.ok(dead && survivor);
    joined.length = 0;
    dead.kill();
    await until('the scheduler to join', () => joined.includes(survivor.address));
    const orphans = stored.filter(({ taskId }) => !client.isAnnounced(taskId));
    assert.equal(orphans.length, 3);
    const known = survivor.peers.size;
    const again = tasks.map((taskId) => registration({ taskId }));
    const announced = await reannounceStoredTasks(client, again, {
      signal: new AbortController().signal,
      logger: silentLogger,
      spacingMs: 0,
    });
    assert.equal(announced, orphans.length);
    assert.equal(survivor.peers.size, known + orphans.length);
  });

  it('notices a restarted scheduler by the lost connection, and has the complete tasks announced to it', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    await client.announceStoredTask(registration());
    assert.equal(client.isAnnounced(TASK_ID), true);
    joined.length = 0;
    scheduler.kill();
    await scheduler.listen();
    await until('the scheduler to join', () => joined.length > 0);
    assert.ok(scheduler.hosts.length >= 1);
    assert.equal(client.isAnnounced(TASK_ID), false);
    const announced = await reannounceStoredTasks(client, [registration()], {
      signal: new AbortController().signal,
      logger: silentLogger,
    });
    assert.equal(announced, 1);
    assert.equal(client.isAnnounced(TASK_ID), true);
  });

  it('announces nothing again to a scheduler that only dropped the connection', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    await client.announceStoredTask(registration());
    const { peers } = scheduler;
    const kept = [...peers];
    joined.length = 0;
    scheduler.kill();
    for (const peer of kept) peers.add(peer);
    await scheduler.listen();
    await until('the scheduler to join', () => joined.length > 0);
    assert.equal(client.isAnnounced(TASK_ID), true);
  });

  it('announces the host and registers again when the scheduler has forgotten it', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    await client.announceStoredTask(registration());
    scheduler.knowsHosts = false;
    scheduler.peers.clear();
    joined.length = 0;
    const session = await client.openSession(registration({ taskId: taskIdFrom('abcde') }));
    assert.equal((await session.register()).kind, 'back-to-source');
    await session.finish('source');
    assert.equal(scheduler.hosts.length, 2);
    await until('the scheduler to join', () => joined.length === 1);
    assert.equal(client.isAnnounced(TASK_ID), false);
  });

  it('remembers what a finished download announced, but not one of a range or a failed one', async () => {
    await startSchedulers(1);
    await startClient();
    const run = async (
      taskId: typeof TASK_ID,
      end: 'finish' | 'fail',
      range?: { offset: number; length: number },
    ): Promise<boolean> => {
      const session = await client.openSession(registration({ taskId, range }));
      await session.register();
      session.backToSourceStarted('');
      await (end === 'finish' ? session.finish('source') : session.fail('source', 'no'));
      return client.isAnnounced(taskId);
    };
    assert.equal(await run(taskIdFrom('00001'), 'finish'), true);
    assert.equal(await run(taskIdFrom('00002'), 'finish', { offset: 0, length: 1 }), false);
    assert.equal(await run(taskIdFrom('00003'), 'fail'), false);
  });

  it('asks for tasks and deletes them at the responsible scheduler', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    assert.equal(await client.statTask(TASK_ID), undefined);
    await client.announceStoredTask(registration());
    const task = await client.statTask(TASK_ID);
    assert.deepEqual([task?.taskId, task?.contentLength], [TASK_ID, undefined]);
    await client.deleteTask(TASK_ID);
    assert.deepEqual(scheduler.deletedTasks, [TASK_ID]);
    assert.equal(client.isAnnounced(TASK_ID), false);
  });

  it('takes a peer back whose failure could not be told', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    scheduler.script = async (conversation) => {
      await conversation.next();
      conversation.answer({ needBackToSourceResponse: { description: '' } });
      conversation.fail(status.INTERNAL, 'it broke');
    };
    await startClient();
    const session = await client.openSession(registration());
    await session.register();
    if (!session.failed.aborted) await once(session.failed, 'abort');
    await session.fail('source', 'gave up');
    assert.deepEqual(scheduler.deletedPeers, [session.peerId]);
  });

  describe('with a dynconfig file', () => {
    let directory: string;
    let file: string;

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'dfpeer-client-'));
      file = join(directory, 'dynconfig.yaml');
    });

    afterEach(() => rm(directory, { recursive: true }));

    const write = (...listed: (ScriptedScheduler | undefined)[]): Promise<void> =>
      writeFile(file, JSON.stringify({ scheduler: { addrs: listed.map((each) => each?.address) } }));

    it('follows the file, says farewell to who left, and keeps the last good list over a bad file', async () => {
      const [first, second] = await startSchedulers(2);
      const lines: LogLine[] = [];
      await write(first);
      await startClient({
        source: { kind: 'dynconfig', file },
        refreshIntervalMs: 50,
        logger: recordingLogger(lines),
      });
      assert.deepEqual(health(), { [String(first?.address)]: true });
      await writeFile(file, 'scheduler: [');
      await until('the warning about the file', () =>
        lines.some(({ message }) => message.includes('the last good one stays')),
      );
      assert.deepEqual(health(), { [String(first?.address)]: true });
      await write(second);
      await until('the second scheduler to be healthy', () => health()[String(second?.address)] === true);
      assert.deepEqual(Object.keys(health()), [second?.address]);
      await first?.until(() => first.deletedHosts.length === 1);
      await second?.until(() => second.hosts.length === 1);
    });

    it('takes in whom the file names later, and keeps who is still named', async () => {
      const [first, second] = await startSchedulers(2);
      await write(first);
      await startClient({ source: { kind: 'dynconfig', file }, refreshIntervalMs: 50 });
      await write(first, second);
      await until('both to be healthy', () => health()[String(second?.address)] === true);
      assert.deepEqual(Object.values(health()), [true, true]);
      assert.deepEqual(first?.deletedHosts, []);
    });

    it('does not start with a bad one', async () => {
      await writeFile(file, 'nothing');
      await assert.rejects(startClient({ source: { kind: 'dynconfig', file } }), { code: 'DFP_CONFIG' });
    });
  });
});
