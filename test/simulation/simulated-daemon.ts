import { toDfpeerError } from '../../src/core/errors.js';
import type { ByteRange } from '../../src/core/piece.js';
import { DownloadManager } from '../../src/peer/download/download-manager.js';
import { FIRST_STALL_MS } from '../../src/peer/download/stall-watch.js';
import type { StoredTask } from '../../src/peer/store/stored-task.js';
import type { TaskStore } from '../../src/peer/store/task-store.js';
import { boundMsOf } from './bound.js';
import { checkPieces, checkWritten } from './checks.js';
import { SimulatedClient } from './simulated-client.js';
import { SimulatedDialer } from './simulated-dialer.js';
import { SimulatedFetcher } from './simulated-fetcher.js';
import { SimulatedParent } from './simulated-parent.js';
import { SimulatedScheduler } from './simulated-scheduler.js';
import { SimulatedUploads } from './simulated-uploads.js';
import { TASK_ID, type Surroundings } from './surroundings.js';
import type { VirtualClock } from './virtual-clock.js';
import { NO_BUDGETS } from '../support/no-budgets.js';

/** Questions of chance at one moment; more is a loop that never waits. */
const MAX_CHANCES_AT_ONCE = 100_000;
const LISTEN_INTERVAL_MS = 1000;
/** The watch looks every second; a line of the simulation itself may have come in between. */
const WATCH_INTERVAL_MS = 1500;

/** One life of a daemon: the production download manager and store, everything around them simulated. */
export class SimulatedDaemon {
  readonly boundMs: number;
  readonly #world: Surroundings;
  readonly #clock: VirtualClock;
  readonly #manager: DownloadManager;
  readonly #store: TaskStore;
  readonly #dialer: SimulatedDialer;
  readonly #fetcher: SimulatedFetcher;
  readonly #scheduler: SimulatedScheduler | undefined;
  readonly #clients: SimulatedClient[];
  #isStopping = false;
  readonly #uploads: SimulatedUploads;
  readonly #watched = new WeakSet<StoredTask>();

  constructor(world: Surroundings, clock: VirtualClock, store: TaskStore) {
    const { plan, random, log, disk, origin, exercised } = world;
    this.#world = world;
    this.#clock = clock;
    this.#store = store;
    this.boundMs = boundMsOf(plan);
    const parents = plan.parents.map((parent, number) => new SimulatedParent(number, parent, world, random.fork()));
    this.#dialer = new SimulatedDialer(parents, clock);
    const onWritten = (range: ByteRange): void => this.#checkWritten(range);
    this.#fetcher = new SimulatedFetcher({ disk, origin, parents, clock, random: random.fork(), onWritten });
    const candidates = parents.map(({ candidate }) => candidate);
    this.#scheduler =
      plan.scheduler.kind === 'none'
        ? undefined
        : new SimulatedScheduler({
            ...{ plan: plan.scheduler, parents: candidates, clock, log, exercised },
            random: random.fork(),
          });
    this.#uploads = new SimulatedUploads(random.fork());
    this.#manager = this.#createManager(store);
    this.#clients = plan.clients.map(
      (client, number) =>
        new SimulatedClient(`client ${number}`, client, { world, clock, onTask: (task) => this.#watch(task) }),
    );
  }

  start(): void {
    const { plan, origin } = this.#world;
    this.#listen();
    for (const atMs of plan.origin.changesAtMs.slice(origin.currentVersion))
      this.#clock.script(atMs - this.#clock.monotonicMs(), () => origin.change());
    if (plan.removeAtMs !== undefined) this.#clock.script(plan.removeAtMs, () => this.#removeTask());
    const { hangsAtMs } = plan.disk;
    if (hangsAtMs !== undefined) this.#clock.script(hangsAtMs - this.#clock.monotonicMs(), () => this.#hangDisk());
    for (const client of this.#clients) this.#clock.script(client.plan.joinAtMs, () => client.join(this.#manager));
  }

  get isOver(): boolean {
    return this.#clients.every(({ outcome }) => outcome !== undefined) && this.#manager.size === 0;
  }

  unfinished(): string {
    return this.#clients
      .filter(({ outcome }) => outcome === undefined)
      .map(({ name }) => name)
      .join(', ');
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#manager.drain(0);
  }

  judgeOutcomes(): void {
    for (const client of this.#clients) {
      this.#world.outcomes.push(client.outcome ?? 'none');
      client.judge();
    }
  }

  /** What is still open, after everything ended. */
  leaks(): string[] {
    const counts = {
      timers: this.#clock.pendingCount,
      downloads: this.#manager.size,
      fetches: this.#fetcher.inFlight,
      'streams to parents': this.#dialer.openStreams,
      'sessions with the scheduler': this.#scheduler?.openSessions ?? 0,
      'waiting uploads': this.#uploads.waiting,
    };
    return Object.entries(counts)
      .filter(([, count]) => count !== 0)
      .map(([what, count]) => `${count} ${what} are left over`);
  }

  #hangDisk(): void {
    if (!this.#isStopping) this.#world.disk.startHanging();
  }

  /** A wait that goes on must be told of, with a name. */
  #listen(): void {
    const { log, failures } = this.#world;
    const lastMs = Math.max(log.lastAtMs, this.#fetcher.movedAtMs);
    const now = this.#clock.monotonicMs();
    const isWaiting = this.#clients.some(({ isWaiting: waits }) => waits);
    if (isWaiting && now > Math.max(lastMs + FIRST_STALL_MS, log.nextStallAtMs) + WATCH_INTERVAL_MS)
      failures.push(`nothing was told for ${(now - lastMs).toFixed(0)} ms before ${now.toFixed(0)} ms`);
    else this.#clock.script(LISTEN_INTERVAL_MS, () => this.#listen());
  }

  #removeTask(): void {
    this.#world.log.add('somebody deletes the task');
    this.#world.exercised.fault('host: the task is deleted');
    this.#store.remove(TASK_ID).catch((error: unknown) => {
      this.#world.log.add(`the task could not be deleted: ${toDfpeerError(error).code}`);
    });
  }

  /** Whatever shows as stored must be right whenever it shows. */
  #watch(task: StoredTask): void {
    if (this.#watched.has(task)) return;
    this.#watched.add(task);
    const { failures, disk, versions, log } = this.#world;
    this.#uploads.ask(task);
    task.subscribe({
      onPiece: (piece) => {
        log.add(`piece ${piece.number} is stored, from ${piece.parentId ?? 'the origin'}`);
        failures.push(...checkPieces(task, disk, versions));
      },
      onStopped: (error) => log.add(`the task stopped: ${toDfpeerError(error).code}`),
    });
  }

  #checkWritten(range: ByteRange): void {
    const task = this.#store.get(TASK_ID);
    if (task !== undefined) this.#world.failures.push(...checkWritten(task, this.#world.disk, range));
  }

  #createManager(store: TaskStore): DownloadManager {
    const { plan, log, random } = this.#world;
    let peers = 0;
    return new DownloadManager({
      store,
      fetcher: this.#fetcher,
      scheduler: this.#scheduler,
      parents: this.#dialer,
      host: { id: 'host', newPeerId: () => `peer-${++peers}`, isAt: () => false },
      budgets: NO_BUDGETS,
      copies: () => 0,
      hasChildren: () => false,
      makeRoom: async (bytes) => this.#world.disk.makeRoom(bytes),
      createBudget: () => {
        throw new Error('no download has a limit of its own');
      },
      observer: { pieceStored: () => undefined, pieceFailed: () => undefined, badPiece: () => undefined },
      settings: plan.settings,
      clock: this.#clock,
      random: this.#countedChance(random.fork()),
      logger: log.logger(),
    });
  }

  #countedChance(random: { next(): number }): () => number {
    let atMs = -1;
    let count = 0;
    return () => {
      if (this.#clock.monotonicMs() !== atMs) [atMs, count] = [this.#clock.monotonicMs(), 0];
      if (++count > MAX_CHANCES_AT_ONCE) throw new Error('a loop that never waits');
      return random.next();
    };
  }
}
