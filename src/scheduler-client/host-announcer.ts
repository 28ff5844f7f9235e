import type { Clock } from '../core/clock.js';
import { throwIfAborted } from '../core/deadline.js';
import { toDfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { AnnounceHostRequest } from '../generated/scheduler/v2/AnnounceHostRequest.js';
import type { SchedulerMember } from './scheduler-member.js';
import { backoffMs, jitteredMs, WakeablePause } from './wakeable-pause.js';

export const DEFAULT_ANNOUNCE_INTERVAL_MS = 300_000;
/** Bound of the farewell to all schedulers together. */
export const WITHDRAW_TIMEOUT_MS = 3000;
const RETRY = { baseMs: 1000, maxMs: 30_000 };

export interface HostAnnouncerOptions {
  hostId: string;
  /** With a fresh sample of the load. */
  describe: () => Promise<AnnounceHostRequest>;
  intervalMs: number;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** The time from attach() to detach(). */
interface Tenure {
  end: AbortController;
  pause: WakeablePause;
}

/** Keeps schedulers told that this host is there, and says farewell. */
export class HostAnnouncer {
  readonly #options: HostAnnouncerOptions;
  readonly #tenures = new Map<SchedulerMember, Tenure>();

  constructor(options: HostAnnouncerOptions) {
    this.#options = options;
  }

  /**
   * Announces now, and at each interval until detach(); retries with growing pauses when that fails.
   * `onFirst` is called once, after the first success. Resolves after the first attempt, whatever its outcome.
   */
  async attach(member: SchedulerMember, onFirst: () => Promise<void>): Promise<void> {
    this.detach(member);
    const tenure: Tenure = { end: new AbortController(), pause: new WakeablePause(this.#options.clock) };
    this.#tenures.set(member, tenure);
    const isAnnounced = await this.#tryAnnounce(member, tenure.end.signal);
    if (isAnnounced) await onFirst();
    void this.#keepAnnouncing(member, tenure, isAnnounced ? undefined : onFirst);
  }

  detach(member: SchedulerMember): void {
    const tenure = this.#tenures.get(member);
    if (tenure === undefined) return;
    this.#tenures.delete(member);
    tenure.end.abort();
    tenure.pause.wake();
  }

  /** One announcement, outside the rhythm. Rejects with DFP_SCHEDULER_* or DFP_DEADLINE. */
  async announce(member: SchedulerMember, signal?: AbortSignal): Promise<void> {
    try {
      const description = await this.#options.describe();
      if (signal !== undefined) throwIfAborted(signal, `AnnounceHost to scheduler ${member.address}`);
      member.mayKnowHost = true;
      await member.connection.announceHost(description, signal);
    } catch (error) {
      member.lastError = toDfpeerError(error).message;
      throw error;
    }
    member.lastAnnouncedAtMs = this.#options.clock.now();
    member.lastError = undefined;
  }

  /** Sends DeleteHost wherever this host may be known; never rejects. */
  async withdraw(members: readonly SchedulerMember[]): Promise<void> {
    await Promise.all(members.map((member) => this.#withdraw(member)));
  }

  async #withdraw(member: SchedulerMember): Promise<void> {
    this.detach(member);
    if (!member.mayKnowHost) return;
    member.mayKnowHost = false;
    member.lastAnnouncedAtMs = undefined;
    try {
      await member.connection.deleteHost(this.#options.hostId, WITHDRAW_TIMEOUT_MS);
    } catch (error) {
      this.#options.logger.debug({ scheduler: member.address, err: error }, 'could not say farewell to the scheduler');
    }
  }

  async #keepAnnouncing(
    member: SchedulerMember,
    tenure: Tenure,
    pendingFirst: (() => Promise<void>) | undefined,
  ): Promise<void> {
    const { intervalMs, random } = this.#options;
    const retry = { ...RETRY, maxMs: Math.min(RETRY.maxMs, intervalMs), random };
    let onFirst = pendingFirst;
    let failures = pendingFirst === undefined ? 0 : 1;
    while (!tenure.end.signal.aborted) {
      await tenure.pause.wait(failures === 0 ? jitteredMs(intervalMs, random) : backoffMs(failures, retry));
      if (tenure.end.signal.aborted) return;
      failures = (await this.#tryAnnounce(member, tenure.end.signal)) ? 0 : failures + 1;
      if (failures > 0) continue;
      await onFirst?.();
      onFirst = undefined;
    }
  }

  async #tryAnnounce(member: SchedulerMember, signal: AbortSignal): Promise<boolean> {
    try {
      await this.announce(member, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      this.#options.logger.warn(
        { scheduler: member.address, err: error },
        'could not announce this host; trying again',
      );
      return false;
    }
  }
}
