import { TaskStore } from '../../src/peer/store/task-store.js';
import { checkPieces } from './checks.js';
import { MemoryTaskFiles } from './memory-disk.js';
import { MemoryMetadataStore } from './memory-metadata.js';
import { drawPlan, type Plan, type StopPlan } from './plan.js';
import { Random } from './random.js';
import { SimulatedDaemon } from './simulated-daemon.js';
import { createSurroundings, type Surroundings } from './surroundings.js';
import { VirtualClock } from './virtual-clock.js';

/** Opening, draining and closing, with slow syncs and a scheduler that takes its time. */
const HOUSEKEEPING_MS = 60_000;

export interface SeedResult {
  seed: number;
  plan: Plan;
  /** What went wrong; empty when every promise was kept. */
  failures: readonly string[];
  log: readonly string[];
  outcomes: readonly string[];
  faults: ReadonlySet<string>;
  virtualMs: number;
}

/** Runs what the seed says to the end, through a restart or crash where the plan has one, and judges it. */
export async function runSeed(seed: number): Promise<SeedResult> {
  const random = new Random(seed);
  const plan = drawPlan(random.fork());
  const world = createSurroundings(plan, random);
  const { failures, log, outcomes } = world;
  const onRejection = (reason: unknown): void =>
    void failures.push(`a rejection that nobody handles: ${String(reason)}`);
  process.on('unhandledRejection', onRejection);
  let clock = new VirtualClock();
  try {
    if (plan.stop !== undefined) {
      await liveUntil(world, clock, plan.stop);
      clock = new VirtualClock(clock.monotonicMs());
    }
    await liveToTheEnd(world, clock);
    await checkStore(world, new VirtualClock(clock.monotonicMs()));
  } catch (error) {
    failures.push(`the run itself failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  } finally {
    process.off('unhandledRejection', onRejection);
  }
  return {
    seed,
    plan,
    failures,
    log: log.lines,
    outcomes,
    faults: world.exercised.faults,
    virtualMs: clock.monotonicMs(),
  };
}

/** A daemon that is stopped in mid-work, or dies. */
async function liveUntil(world: Surroundings, clock: VirtualClock, { kind, atMs }: StopPlan): Promise<void> {
  const { store, daemon } = await startDaemon(world, clock);
  let isTime = false;
  clock.script(atMs, () => (isTime = true));
  await clock.runUntil(() => isTime, clock.monotonicMs() + atMs);
  world.log.add(`now comes the ${kind}`);
  world.exercised.fault(`host: ${kind}`);
  if (kind === 'restart') return stopDaemon(world, clock, daemon, store);
  clock.stop();
  world.disk.forgetHang();
  if (kind !== 'power-loss') return;
  world.disk.losePower();
  world.journal.losePower(world.random);
}

async function liveToTheEnd(world: Surroundings, clock: VirtualClock): Promise<void> {
  const { store, daemon } = await startDaemon(world, clock);
  const isInTime = await clock.runUntil(() => daemon.isOver, clock.monotonicMs() + daemon.boundMs);
  if (isInTime) daemon.judgeOutcomes();
  else world.failures.push(`not over within ${daemon.boundMs} ms: ${daemon.unfinished()}`);
  await stopDaemon(world, clock, daemon, store);
}

async function startDaemon(
  world: Surroundings,
  clock: VirtualClock,
): Promise<{ store: TaskStore; daemon: SimulatedDaemon }> {
  world.log.clock = clock;
  const store = await within(clock, 'opening the store', openStore(world, clock));
  const daemon = new SimulatedDaemon(world, clock, store);
  daemon.start();
  return { store, daemon };
}

async function stopDaemon(
  { failures, disk }: Surroundings,
  clock: VirtualClock,
  daemon: SimulatedDaemon,
  store: TaskStore,
): Promise<void> {
  disk.stopHanging();
  await within(clock, 'draining', daemon.stop());
  await within(clock, 'closing the store', store.close());
  failures.push(...daemon.leaks());
}

/** What a later process finds must be as good as what this one showed. */
async function checkStore(world: Surroundings, clock: VirtualClock): Promise<void> {
  world.log.clock = clock;
  const store = await within(clock, 'opening the store again', openStore(world, clock));
  for (const task of store.tasks())
    for (const wrong of checkPieces(task, world.disk, world.versions)) world.failures.push(`after a restart: ${wrong}`);
}

async function openStore({ disk, journal, log }: Surroundings, clock: VirtualClock): Promise<TaskStore> {
  const store = await TaskStore.open({
    files: new MemoryTaskFiles(disk, clock),
    metadata: new MemoryMetadataStore(journal, disk, clock),
    logger: log.logger(),
    clock,
  });
  await store.allSettled();
  return store;
}

/** Drives the clock until the work is done. */
async function within<T>(clock: VirtualClock, what: string, work: Promise<T>): Promise<T> {
  let isDone = false;
  const settled = work.finally(() => (isDone = true));
  settled.catch(() => undefined);
  if (!(await clock.runUntil(() => isDone, clock.monotonicMs() + HOUSEKEEPING_MS)))
    throw new Error(`${what} did not end within ${HOUSEKEEPING_MS} ms`);
  return settled;
}
