import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { silentLogger } from '../../src/core/logger.js';
import type { TaskId } from '../../src/core/task-id.js';
import { FIRST_LOOK_TIMEOUT_MS } from '../../src/scheduler-client/client.js';
import { HashRing } from '../../src/scheduler-client/hash-ring.js';
import { reannounceStoredTasks } from '../../src/scheduler-client/reannounce.js';
import { until } from '../support/until.js';
import { host, registration, TASK_ID, taskIdFrom } from './support/fixtures.js';
import { ManualClock } from '../support/manual-clock.js';
import type { ScriptedScheduler } from './support/scripted-scheduler.js';
import { useClient } from './support/use-client.js';

describe('the scheduler client', () => {
  const stage = useClient();
  const { startSchedulers, startClient, health } = stage;

  /** The scheduler that the ring makes responsible. */
  function responsible(taskId: string, among = stage.schedulers): ScriptedScheduler {
    const port = new HashRing(among.map(({ port }) => ({ ip: '127.0.0.1', port }))).pick(taskId)?.port;
    const found = stage.schedulers.find((scheduler) => scheduler.port === port);
    assert.ok(found);
    return found;
  }

  /** Three tasks for each scheduler: ports are chance, so a scheduler's share of the ring is too. */
  function tasksForEach(): TaskId[] {
    const found = new Map(stage.schedulers.map((scheduler) => [scheduler, [] as TaskId[]]));
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
    assert.deepEqual(stage.joined.sort(), [first?.address, second?.address].sort());
  });

  it('says farewell to every scheduler when it stops, and fails the sessions that are open', async () => {
    await startSchedulers(2);
    await startClient();
    const session = await stage.client.openSession(registration());
    await session.register();
    await stage.client.stop();
    for (const scheduler of stage.schedulers) assert.deepEqual(scheduler.deletedHosts, [host.id]);
    assert.equal((session.failed.reason as { code?: string }).code, 'DFP_SHUTTING_DOWN');
    await assert.rejects(stage.client.openSession(registration()), { code: 'DFP_SHUTTING_DOWN' });
  });

  it('says farewell to a scheduler that has not answered its first announcement yet', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    scheduler.isMute = true;
    const starting = startClient();
    await scheduler.until(() => scheduler.hosts.length > 0);
    await stage.client.stop();
    await starting;
    assert.deepEqual(scheduler.deletedHosts, [host.id]);
  });

  it('waits for no time to pass when it stops', async () => {
    await startSchedulers(1);
    await startClient({ clock: new ManualClock() });
    await stage.client.stop();
    assert.deepEqual(stage.schedulers[0]?.deletedHosts, [host.id]);
  });

  it('starts without a single scheduler, and finds one when it comes', async () => {
    const [scheduler] = await startSchedulers(1);
    scheduler?.kill();
    await startClient();
    await assert.rejects(stage.client.openSession(registration()), {
      code: 'DFP_SCHEDULER_UNREACHABLE',
      message: new RegExp(String(scheduler?.address)),
    });
    assert.equal(stage.client.status()[0]?.healthy, false);
    assert.ok(stage.client.status()[0]?.lastError);
    await scheduler?.listen();
    await until('the host to be announced', () => stage.client.status()[0]?.lastAnnouncedAtMs !== undefined);
    const session = await stage.client.openSession(registration());
    assert.equal((await session.register()).kind, 'back-to-source');
    await session.finish('source');
  });

  it('lets no download wait for a scheduler that has said nothing in the first second', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const clock = new ManualClock();
    const addrs = [`127.0.0.1:${(silent.address() as AddressInfo).port}`];
    const starting = startClient({ source: { kind: 'static', addrs }, clock });
    const [connection] = (await once(silent, 'connection')) as [Socket];
    const atOnce = stage.client.openSession(registration());
    clock.advance(FIRST_LOOK_TIMEOUT_MS - 1);
    const last = stage.client.openSession(registration());
    clock.advance(1);
    await assert.rejects(atOnce, { code: 'DFP_SCHEDULER_UNREACHABLE' });
    await assert.rejects(last, { code: 'DFP_SCHEDULER_UNREACHABLE' });
    await assert.rejects(stage.client.openSession(registration()), { code: 'DFP_SCHEDULER_UNREACHABLE' });
    await stage.client.stop();
    await starting;
    connection.destroy();
    silent.close();
  });

  it('routes each task to the scheduler that the ring names', async () => {
    await startSchedulers(3);
    const tasks = tasksForEach();
    await startClient();
    for (const taskId of tasks) await stage.client.announceStoredTask(registration({ taskId }));
    for (const scheduler of stage.schedulers) {
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
      await stage.client.announceStoredTask(registration({ taskId }));
      assert.ok(responsible(taskId, others).messages.length > before);
    }
    sick.health.setStatus('', 'SERVING');
    await until('the scheduler to join', () => stage.joined.includes(sick.address));
    assert.equal(sick.hosts.length, 1);
    const moved = tasks.filter((taskId) => !stage.client.isAnnounced(taskId));
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
    await reannounceStoredTasks(stage.client, stored, {
      signal: new AbortController().signal,
      logger: silentLogger,
      spacingMs: 0,
    });
    const [dead, survivor] = stage.schedulers;
    assert.ok(dead && survivor);
    stage.joined.length = 0;
    dead.kill();
    await until('the scheduler to join', () => stage.joined.includes(survivor.address));
    const orphans = stored.filter(({ taskId }) => !stage.client.isAnnounced(taskId));
    assert.equal(orphans.length, 3);
    const known = survivor.peers.size;
    const again = tasks.map((taskId) => registration({ taskId }));
    const announced = await reannounceStoredTasks(stage.client, again, {
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
    await stage.client.announceStoredTask(registration());
    assert.equal(stage.client.isAnnounced(TASK_ID), true);
    stage.joined.length = 0;
    scheduler.kill();
    await scheduler.listen();
    await until('the scheduler to join', () => stage.joined.length > 0);
    assert.ok(scheduler.hosts.length >= 1);
    assert.equal(stage.client.isAnnounced(TASK_ID), false);
    const announced = await reannounceStoredTasks(stage.client, [registration()], {
      signal: new AbortController().signal,
      logger: silentLogger,
    });
    assert.equal(announced, 1);
    assert.equal(stage.client.isAnnounced(TASK_ID), true);
  });

  it('announces nothing again to a scheduler that only dropped the connection', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    await stage.client.announceStoredTask(registration());
    const { peers } = scheduler;
    const kept = [...peers];
    stage.joined.length = 0;
    scheduler.kill();
    for (const peer of kept) peers.add(peer);
    await scheduler.listen();
    await until('the scheduler to join', () => stage.joined.length > 0);
    assert.equal(stage.client.isAnnounced(TASK_ID), true);
  });

  it('announces the host and registers again when the scheduler has forgotten it', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    await stage.client.announceStoredTask(registration());
    scheduler.knowsHosts = false;
    scheduler.peers.clear();
    stage.joined.length = 0;
    const session = await stage.client.openSession(registration({ taskId: taskIdFrom('abcde') }));
    assert.equal((await session.register()).kind, 'back-to-source');
    await session.finish('source');
    assert.equal(scheduler.hosts.length, 2);
    await until('the scheduler to join', () => stage.joined.length === 1);
    assert.equal(stage.client.isAnnounced(TASK_ID), false);
  });

  it('remembers what a finished download announced, but not one of a range or a failed one', async () => {
    await startSchedulers(1);
    await startClient();
    const run = async (
      taskId: typeof TASK_ID,
      end: 'finish' | 'fail',
      range?: { offset: number; length: number },
    ): Promise<boolean> => {
      const session = await stage.client.openSession(registration({ taskId, range }));
      await session.register();
      session.backToSourceStarted('');
      await (end === 'finish' ? session.finish('source') : session.fail('source', 'no'));
      return stage.client.isAnnounced(taskId);
    };
    assert.equal(await run(taskIdFrom('00001'), 'finish'), true);
    assert.equal(await run(taskIdFrom('00002'), 'finish', { offset: 0, length: 1 }), false);
    assert.equal(await run(taskIdFrom('00003'), 'fail'), false);
  });

  it('asks for tasks and deletes them at the responsible scheduler', async () => {
    const [scheduler] = await startSchedulers(1);
    assert.ok(scheduler);
    await startClient();
    assert.equal(await stage.client.statTask(TASK_ID), undefined);
    await stage.client.announceStoredTask(registration());
    const task = await stage.client.statTask(TASK_ID);
    assert.deepEqual([task?.taskId, task?.contentLength], [TASK_ID, undefined]);
    await stage.client.deleteTask(TASK_ID);
    assert.deepEqual(scheduler.deletedTasks, [TASK_ID]);
    assert.equal(stage.client.isAnnounced(TASK_ID), false);
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
    const session = await stage.client.openSession(registration());
    await session.register();
    if (!session.failed.aborted) await once(session.failed, 'abort');
    await session.fail('source', 'gave up');
    assert.deepEqual(scheduler.deletedPeers, [session.peerId]);
  });
});
