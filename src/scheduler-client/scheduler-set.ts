import type { Clock } from '../core/clock.js';
import { sleep } from '../core/deadline.js';
import { DfpeerError, messageOf, toDfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { EMPTY_BLOCK_LIST, type BlockList } from './block-list.js';
import { HashRing } from './hash-ring.js';
import { formatAddress, type SchedulerAddress } from './scheduler-address.js';
import type { SchedulerConnection } from './scheduler-connection.js';
import { SchedulerMember } from './scheduler-member.js';
import { MAX_SCHEDULERS, type SchedulerSource } from './scheduler-source.js';
import { backoffMs, jitteredMs, WakeablePause } from './wakeable-pause.js';

export const DEFAULT_REFRESH_INTERVAL_MS = 60_000;
/** Of health checks of an unhealthy scheduler, and of a source that can't be read. */
const RETRY = { baseMs: 1000, maxMs: 30_000 };
/** Between two health checks of one scheduler, however often its connection is lost. */
const MIN_CHECK_GAP_MS = 200;

export interface SchedulerSetOptions {
  source: SchedulerSource;
  connect: (address: SchedulerAddress) => SchedulerConnection;
  refreshIntervalMs: number;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** It serves: for the first time, again, or still after its connection was lost. Never rejects. */
  onUp: (member: SchedulerMember) => Promise<void>;
  /** It does not serve any more, or is no longer in the list. */
  onDown: (member: SchedulerMember) => void;
  /** No longer in the list; its connection is closed afterwards. Never rejects. */
  onRemoved: (member: SchedulerMember) => Promise<void>;
}

/** The schedulers of the source, their health, and the ring of those that serve. */
export class SchedulerSet {
  readonly #options: SchedulerSetOptions;
  readonly #stopping = new AbortController();
  readonly #pause: WakeablePause;
  readonly #loops = new Set<Promise<void>>();
  #members = new Map<string, SchedulerMember>();
  #ring = new HashRing<SchedulerAddress>([]);
  #blockList = EMPTY_BLOCK_LIST;
  #listError: string | undefined;
  /** Of the last list. */
  #listedCount = 0;

  constructor(options: SchedulerSetOptions) {
    this.#options = options;
    this.#pause = new WakeablePause(options.clock);
  }

  get blockList(): BlockList {
    return this.#blockList;
  }

  get members(): SchedulerMember[] {
    return [...this.#members.values()];
  }

  /** Why there is no list; undefined as soon as there is one, whatever becomes of its source afterwards. */
  get listError(): string | undefined {
    return this.#members.size === 0 ? this.#listError : undefined;
  }

  /**
   * Resolves when every scheduler of the first list was looked at once. A source that can't be reached is retried in the background.
   * Rejects with DFP_CONFIG when the source is wrong rather than unreachable.
   */
  async start(): Promise<void> {
    let isRead = true;
    try {
      await this.#refresh();
    } catch (error) {
      if (toDfpeerError(error).code === 'DFP_CONFIG') throw error;
      this.#options.logger.warn({ err: error }, 'the list of schedulers is not available; trying again');
      isRead = false;
    }
    this.#run(this.#keepRefreshing(isRead ? 0 : 1));
  }

  /** Who is responsible for a task among those that serve. */
  pick(taskId: string): SchedulerMember | undefined {
    const address = this.#ring.pick(taskId);
    return address === undefined ? undefined : this.#members.get(formatAddress(address));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#pause.wake();
    for (const member of this.members) member.remove();
    await Promise.all(this.#loops);
    for (const member of this.members) member.connection.close();
    this.#options.source.close();
  }

  /** Rejects when the source can't be read; the last good list stays in force. */
  async #refresh(): Promise<void> {
    try {
      await this.#readList();
    } catch (error) {
      this.#listError = messageOf(error);
      throw error;
    }
  }

  async #readList(): Promise<void> {
    const { source, logger } = this.#options;
    const { schedulers, blockList } = await source.list(this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    this.#blockList = blockList ?? this.#blockList;
    const listed = new Map(schedulers.map((each) => [formatAddress(each), each]));
    if (listed.size === 0)
      throw new DfpeerError('DFP_SCHEDULER_UNREACHABLE', 'the list of schedulers is empty; the last good one stays');
    if (listed.size > MAX_SCHEDULERS && listed.size !== this.#listedCount)
      logger.warn({ listed: listed.size, used: MAX_SCHEDULERS }, 'too many schedulers; the rest is ignored');
    this.#listedCount = listed.size;
    await this.#apply(new Map([...listed].slice(0, MAX_SCHEDULERS)));
  }

  /** Resolves when the new ones were checked once. */
  async #apply(listed: ReadonlyMap<string, SchedulerAddress>): Promise<void> {
    const removed = this.members.filter((member) => !listed.has(member.address));
    const added: SchedulerMember[] = [];
    const members = new Map<string, SchedulerMember>();
    for (const [key, address] of listed) {
      const member = this.#members.get(key) ?? this.#createMember(address);
      if (!this.#members.has(key)) added.push(member);
      members.set(key, member);
    }
    this.#members = members;
    this.#rebuildRing();
    for (const member of removed) this.#run(this.#removeMember(member));
    await Promise.all(added.map((member) => this.#watch(member)));
  }

  #createMember(address: SchedulerAddress): SchedulerMember {
    return new SchedulerMember(this.#options.connect(address), this.#options.clock);
  }

  async #removeMember(member: SchedulerMember): Promise<void> {
    member.remove();
    if (member.isHealthy) this.#options.onDown(member);
    member.isHealthy = false;
    await this.#options.onRemoved(member);
    member.connection.close();
  }

  /** Checks once, then keeps checking in the background. */
  async #watch(member: SchedulerMember): Promise<void> {
    const isHealthy = await this.#check(member);
    this.#run(this.#keepChecking(member, isHealthy ? 0 : 1));
  }

  async #keepChecking(member: SchedulerMember, firstFailures: number): Promise<void> {
    const { refreshIntervalMs, random, clock } = this.#options;
    let failures = firstFailures;
    while (!member.isRemoved) {
      const interval = jitteredMs(refreshIntervalMs, random);
      await member.pause.wait(failures === 0 ? interval : backoffMs(failures, { ...RETRY, random }));
      failures = (await this.#check(member)) ? 0 : failures + 1;
      await sleep(MIN_CHECK_GAP_MS, member.removal.signal, clock).catch(() => undefined);
    }
  }

  async #check(member: SchedulerMember): Promise<boolean> {
    if (member.isRemoved) return false;
    const mayBeRestarted = !member.isHealthy || member.wasDisconnected;
    member.wasDisconnected = false;
    try {
      await member.connection.checkHealth(member.removal.signal);
    } catch (error) {
      if (!member.isRemoved) this.#markUnhealthy(member, error);
      return false;
    }
    if (!member.isHealthy) {
      member.isHealthy = true;
      member.lastError = undefined;
      this.#options.logger.info({ scheduler: member.address }, 'scheduler is serving');
      this.#rebuildRing();
    }
    if (mayBeRestarted) await this.#options.onUp(member);
    return true;
  }

  #markUnhealthy(member: SchedulerMember, error: unknown): void {
    const { logger } = this.#options;
    const wasKnown = member.lastError !== undefined;
    member.lastError = messageOf(error);
    const fields = { scheduler: member.address, err: error };
    if (!member.isHealthy) {
      if (wasKnown) logger.debug(fields, 'scheduler is still not serving');
      else logger.warn(fields, 'scheduler is not serving');
      return;
    }
    member.isHealthy = false;
    this.#rebuildRing();
    const hasOthers = this.members.some((each) => each.isHealthy);
    logger.warn(fields, `scheduler is not serving; ${hasOthers ? 'others take over' : 'there is no other'}`);
    this.#options.onDown(member);
  }

  /** All members of the ring belong to the cluster of the first that serves: the rule of Dragonfly's own client. */
  #rebuildRing(): void {
    const serving = this.members.filter((member) => member.isHealthy).map((member) => member.connection.endpoint);
    const clusterId = serving[0]?.clusterId;
    this.#ring = new HashRing(serving.filter((endpoint) => endpoint.clusterId === clusterId));
  }

  async #keepRefreshing(firstFailures: number): Promise<void> {
    const { refreshIntervalMs, random, logger } = this.#options;
    const retry = { ...RETRY, maxMs: Math.min(RETRY.maxMs, refreshIntervalMs), random };
    let failures = firstFailures;
    while (!this.#stopping.signal.aborted) {
      await this.#pause.wait(failures === 0 ? jitteredMs(refreshIntervalMs, random) : backoffMs(failures, retry));
      if (this.#stopping.signal.aborted) return;
      try {
        await this.#refresh();
        failures = 0;
      } catch (error) {
        if (failures++ === 0)
          logger.warn({ err: error }, 'the list of schedulers is not available; the last good one stays');
      }
    }
  }

  #run(loop: Promise<void>): void {
    this.#loops.add(loop);
    void loop.finally(() => this.#loops.delete(loop));
  }
}
