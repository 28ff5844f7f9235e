import { status } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../core/clock.js';
import { sleep } from '../core/deadline.js';
import { DfpeerError } from '../core/errors.js';
import { silentLogger, type Logger } from '../core/logger.js';
import type { TaskId } from '../core/task-id.js';
import { loadChannelCredentials, type TlsFiles } from '../grpc/credentials.js';
import { AnnouncedTasks } from './announced-tasks.js';
import type { BlockListQuery } from './block-list.js';
import { DEFAULT_ANNOUNCE_INTERVAL_MS, HostAnnouncer } from './host-announcer.js';
import { toAnnounceHostRequest, type BuildDescription } from './host-message.js';
import { AnnouncePeerSession } from './peer-session.js';
import { systemLookup, type Lookup } from './scheduler-address.js';
import type { HostDescription, HostLoad, PeerRegistration, PeerSession, SchedulerClient } from './scheduler-client.js';
import { SchedulerConnection } from './scheduler-connection.js';
import type { SchedulerMember } from './scheduler-member.js';
import { DEFAULT_REFRESH_INTERVAL_MS, SchedulerSet } from './scheduler-set.js';
import { createSchedulerSource, type SchedulerSourceConfig } from './scheduler-source.js';
import { toTaskStatus, type TaskStatus } from './task-status.js';
import { hasStatus } from '../grpc/unary-call.js';

export const DEFAULT_SCHEDULE_TIMEOUT_MS = 3 * 3_600_000;
/** A download that comes while the schedulers are looked at for the first time waits for one this long. */
export const FIRST_LOOK_TIMEOUT_MS = 1000;
/** A scheduler that comes back must not hear from all peers in the same second. */
export const DEFAULT_REJOIN_SPREAD_MS = 5000;

export interface SchedulerClientOptions {
  host: HostDescription;
  /** Sampled at each announcement. */
  load: () => Promise<HostLoad>;
  source: SchedulerSourceConfig;
  build: BuildDescription;
  /** Default {@link DEFAULT_ANNOUNCE_INTERVAL_MS}. */
  announceIntervalMs?: number;
  /** Of the list and of health checks. Default {@link DEFAULT_REFRESH_INTERVAL_MS}. */
  refreshIntervalMs?: number;
  /** Bound of the wait for each decision but the first. Default {@link DEFAULT_SCHEDULE_TIMEOUT_MS}. */
  scheduleTimeoutMs?: number;
  /** The hook below is called after a random part of this. Default {@link DEFAULT_REJOIN_SPREAD_MS}. */
  rejoinSpreadMs?: number;
  tls?: TlsFiles | undefined;
  logger?: Logger;
  clock?: Clock;
  random?: () => number;
  lookup?: Lookup;
  /**
   * This scheduler may be responsible for complete tasks that it does not know: it is new, was restarted, or took over from
   * another. Answer with reannounceStoredTasks().
   */
  onSchedulerJoined?: (address: string) => void;
}

/** The scheduler client as the daemon uses it. */
export interface DaemonSchedulerClient extends SchedulerClient {
  /** Registers a complete copy with metadata_only, so that it is offered to others. Rejects with DFP_SCHEDULER_* or DFP_DEADLINE. */
  announceStoredTask(registration: PeerRegistration, signal?: AbortSignal): Promise<void>;
  /** Whether the responsible scheduler has been told of our complete copy. */
  isAnnounced(taskId: TaskId): boolean;
  isDownloadBlocked(download: BlockListQuery): boolean;
  /** Of the schedulers in the list, host:port each. */
  addresses(): string[];
  /** Undefined when the responsible scheduler does not know the task. */
  statTask(taskId: TaskId): Promise<TaskStatus | undefined>;
}

/** @throws DfpeerError (DFP_CONFIG) for an address that is none. start() reads files and connects. */
export function createSchedulerClient(options: SchedulerClientOptions): DaemonSchedulerClient {
  return new V2SchedulerClient(options);
}

class V2SchedulerClient implements DaemonSchedulerClient {
  readonly #options: SchedulerClientOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #announced = new AnnouncedTasks();
  readonly #announcer: HostAnnouncer;
  readonly #sessions = new Set<AnnouncePeerSession>();
  readonly #pendingHooks = new Map<string, () => void>();
  readonly #set: SchedulerSet;
  #connect: ((endpoint: SchedulerConnection['endpoint']) => SchedulerConnection) | undefined;
  /** At the schedulers; downloads wait for it until `untilMs` of the monotonic clock. */
  #firstLook: { done: Promise<void>; untilMs: number } | undefined;
  #isStopped = false;

  constructor(options: SchedulerClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#logger = options.logger ?? silentLogger;
    const shared = { clock: this.#clock, random: this.#random, logger: this.#logger };
    const { host, build, source, lookup = systemLookup } = options;
    const intervalMs = options.announceIntervalMs ?? DEFAULT_ANNOUNCE_INTERVAL_MS;
    this.#announcer = new HostAnnouncer({
      ...shared,
      hostId: host.id,
      intervalMs,
      describe: async () => toAnnounceHostRequest(host, await options.load(), build, intervalMs),
    });
    this.#set = new SchedulerSet({
      ...shared,
      source: createSchedulerSource(source, { ...shared, host, build, lookup }),
      connect: (endpoint) => this.#dial(endpoint),
      refreshIntervalMs: options.refreshIntervalMs ?? DEFAULT_REFRESH_INTERVAL_MS,
      onUp: async (member) => {
        if (!this.#isStopped) await this.#announcer.attach(member, () => this.#introduce(member));
      },
      onDown: (member) => this.#handOver(member),
      onRemoved: (member) => this.#announcer.withdraw([member]),
    });
  }

  async start(): Promise<void> {
    const credentials = await loadChannelCredentials(this.#options.tls);
    this.#connect = (endpoint) => new SchedulerConnection(endpoint, credentials);
    const done = this.#set.start();
    this.#firstLook = { done, untilMs: this.#clock.monotonicMs() + FIRST_LOOK_TIMEOUT_MS };
    await done;
  }

  async openSession(registration: PeerRegistration): Promise<PeerSession> {
    await this.#firstLookAt(registration.taskId);
    return this.#openSession(registration);
  }

  async announceStoredTask(registration: PeerRegistration, signal?: AbortSignal): Promise<void> {
    const session = this.#openSession({ ...registration, metadataOnly: true, needBackToSource: false });
    try {
      const decision = await session.register(signal);
      if (decision.kind !== 'metadata-only')
        throw new DfpeerError('DFP_SCHEDULER_REFUSED', `the scheduler answered ${decision.kind} to a complete copy`);
      session.started();
      await session.finish('parents');
      session.failed.throwIfAborted();
    } catch (error) {
      await session.fail('parents', 'the announcement of a complete copy failed');
      throw error;
    }
  }

  isAnnounced(taskId: TaskId): boolean {
    const member = this.#set.pick(taskId);
    return member !== undefined && this.#announced.isKnownTo(member.address, taskId);
  }

  isDownloadBlocked(download: BlockListQuery): boolean {
    return this.#set.blockList.match(download) !== undefined;
  }

  async statTask(taskId: TaskId): Promise<TaskStatus | undefined> {
    const { connection } = this.#responsible(taskId);
    const task = await unlessUnknown(connection.statTask({ hostId: this.#options.host.id, taskId }));
    return task === undefined ? undefined : toTaskStatus(task);
  }

  async deleteTask(taskId: TaskId): Promise<void> {
    this.#announced.forgetTask(taskId);
    await unlessUnknown(this.#responsible(taskId).connection.deleteTask({ hostId: this.#options.host.id, taskId }));
  }

  addresses(): string[] {
    return this.#set.members.map(({ address }) => address);
  }

  status(): ReturnType<SchedulerClient['status']> {
    const { listError } = this.#set;
    if (listError !== undefined)
      return namesIn(this.#options.source).map((address) => ({
        address,
        healthy: false,
        lastAnnouncedAtMs: undefined,
        lastError: listError,
      }));
    return this.#set.members.map((member) => ({
      address: member.address,
      healthy: member.isHealthy,
      lastAnnouncedAtMs: member.lastAnnouncedAtMs,
      lastError: member.lastError,
    }));
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const cancel of this.#pendingHooks.values()) cancel();
    for (const session of this.#sessions)
      session.abandon(new DfpeerError('DFP_SHUTTING_DOWN', 'the daemon is shutting down'));
    await this.#announcer.withdraw(this.#set.members);
    await this.#set.stop();
  }

  async #firstLookAt(taskId: TaskId): Promise<void> {
    if (this.#firstLook === undefined || this.#set.pick(taskId) !== undefined) return;
    const { done, untilMs } = this.#firstLook;
    const leftMs = untilMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return;
    const over = new AbortController();
    const patience = sleep(leftMs, over.signal, this.#clock);
    await Promise.race([done, patience]).catch(() => undefined);
    over.abort();
  }

  #dial(endpoint: SchedulerConnection['endpoint']): SchedulerConnection {
    if (this.#connect !== undefined) return this.#connect(endpoint);
    throw new DfpeerError('DFP_INTERNAL', 'the scheduler client was not started');
  }

  #responsible(taskId: TaskId): SchedulerMember {
    if (this.#isStopped) throw new DfpeerError('DFP_SHUTTING_DOWN', 'the scheduler client is stopped');
    const member = this.#set.pick(taskId);
    if (member !== undefined) return member;
    const known = this.#set.members.map(({ address }) => address).join(', ');
    throw new DfpeerError(
      'DFP_SCHEDULER_UNREACHABLE',
      known === '' ? 'no scheduler is known' : `no scheduler is serving (tried ${known}); check that it runs`,
    );
  }

  #openSession(registration: PeerRegistration): AnnouncePeerSession {
    const member = this.#responsible(registration.taskId);
    const { taskId, peerId } = registration;
    const { connection, address } = member;
    const session = new AnnouncePeerSession({
      host: this.#options.host,
      registration,
      scheduleTimeoutMs: this.#options.scheduleTimeoutMs ?? DEFAULT_SCHEDULE_TIMEOUT_MS,
      clock: this.#clock,
      logger: this.#logger,
      scheduler: {
        address,
        ip: connection.endpoint.ip,
        announcePeer: () => connection.announcePeer(),
        expectLife: () => member.liveness.expect(),
        announceHostAgain: async (signal) => {
          await this.#announcer.announce(member, signal);
          await this.#introduce(member);
        },
        forgetPeer: (id) => this.#forgetPeer(member, taskId, id),
      },
      onEnded: ({ succeeded, error }) => {
        this.#sessions.delete(session);
        if (succeeded && registration.range === undefined) this.#announced.record(taskId, { address, peerId });
        if (error !== undefined && MAY_BE_DOWN.has(error.code)) member.suspect();
      },
    });
    this.#sessions.add(session);
    return session;
  }

  async #forgetPeer(member: SchedulerMember, taskId: TaskId, peerId: string): Promise<void> {
    if (!member.isHealthy || this.#isStopped) return;
    try {
      await member.connection.deletePeer({ hostId: this.#options.host.id, taskId, peerId });
    } catch (error) {
      this.#logger.debug({ scheduler: member.address, peerId, err: error }, 'could not take the peer back');
    }
  }

  /** After an announcement: finds out whether the scheduler still remembers us, and has our complete tasks announced. */
  async #introduce(member: SchedulerMember): Promise<void> {
    const { address } = member;
    if (!(await this.#remembersUs(member))) this.#announced.forgetScheduler(address);
    this.#callHook(address);
  }

  /** One peer it was told of stands for all: a restarted scheduler has forgotten every one. */
  async #remembersUs({ address, connection }: SchedulerMember): Promise<boolean> {
    const witness = this.#announced.witnessOf(address);
    if (witness === undefined) return false;
    try {
      return (await unlessUnknown(connection.statPeer({ hostId: this.#options.host.id, ...witness }))) !== undefined;
    } catch (error) {
      this.#logger.debug({ scheduler: address, err: error }, 'could not ask what the scheduler remembers');
      return false;
    }
  }

  /** Those that remain become responsible for tasks they were never told of. */
  #handOver(member: SchedulerMember): void {
    this.#announcer.detach(member);
    for (const other of this.#set.members) if (other.isHealthy && other !== member) this.#callHook(other.address);
  }

  #callHook(address: string): void {
    const { onSchedulerJoined, rejoinSpreadMs = DEFAULT_REJOIN_SPREAD_MS } = this.#options;
    if (onSchedulerJoined === undefined || this.#isStopped || this.#pendingHooks.has(address)) return;
    const call = (): void => {
      this.#pendingHooks.delete(address);
      try {
        onSchedulerJoined(address);
      } catch (error) {
        this.#logger.error({ err: error }, 'announcing stored tasks failed');
      }
    };
    const cancel = this.#clock.after(this.#random() * rejoinSpreadMs, call, { unref: true });
    this.#pendingHooks.set(address, cancel);
  }
}

const MAY_BE_DOWN: ReadonlySet<string> = new Set(['DFP_SCHEDULER_UNREACHABLE', 'DFP_DEADLINE', 'DFP_STALLED']);

async function unlessUnknown<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasStatus(error, status.NOT_FOUND)) return undefined;
    throw error;
  }
}

/** What an operator has configured, for the time when nobody can tell which schedulers that means. */
function namesIn(source: SchedulerSourceConfig): readonly string[] {
  switch (source.kind) {
    case 'static':
      return source.addrs;
    case 'dynconfig':
      return [source.file];
    case 'manager':
      return [source.addr];
  }
}
