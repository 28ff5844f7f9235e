import { type Clock, systemClock } from '../core/clock.js';
import { UsageError } from '../core/errors.js';
import { Reservoir } from './reservoir.js';

/** Grants leases at one fixed rate, one at a time. */
export interface LeaseSource {
  /** Bytes of an ordinary lease: what may be spent at once. */
  readonly leaseBytes: number;
  /** Resolves with the bytes of the next so many leases, in one, once they are due. One call at a time. Default 1. */
  next(leases?: number): Promise<number>;
  /** Ends the timers. A lease still waited for never comes. */
  close(): void;
}

/** 20 ms a lease keeps the peaks of 100 ms windows at 6/5. */
export const LEASES_PER_SECOND = 50;
/** What one Bottleneck job grants, to be handed out by the clock: a job wakes the thread ten times as often as a timer does. */
const LEASES_PER_JOB = 10;
/** The reservoir fills this much sooner than due, so that late timers hold nobody up: the clock keeps the rate. */
const REFILL_SHARE = 0.9;
/** A lease that comes late grows by what its own lateness cost, up to this share: the time it covers is that much longer. */
const MAX_LATE_SHARE = 0.3;
/** Older arrears are made up for at this pace: 6/5 × 1.04 stays below 1.25. */
const CATCH_UP_SHARE = 0.04;
/** Arrears beyond this are forgotten: at most 1 % too much in 10 s. */
const MAX_ARREARS_LEASES = 5;
/** Nobody asked for this many lease times: the rate is measured anew. */
const IDLE_LEASES = 5;

/**
 * Leases of about limit/50 bytes, each cut from a grant of ten out of a Bottleneck reservoir.
 *
 * Timers come late and unevenly, so the reservoir alone stays some percent below the limit: it says that there may be
 * leases, the clock says when and how large.
 */
export class BottleneckLeases implements LeaseSource {
  readonly leaseBytes: number;
  readonly #limitBytesPerSecond: number;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #reservoir: Reservoir;
  #leasesGranted = 0;
  #countingSinceMs = 0;
  #grantedBytes = 0;
  #lastGrantMs = Number.NEGATIVE_INFINITY;
  #cancelPause: (() => void) | undefined;

  /** @throws UsageError unless the limit is a positive number. */
  constructor(limitBytesPerSecond: number, clock: Clock = systemClock) {
    assertLimit(limitBytesPerSecond);
    this.#limitBytesPerSecond = limitBytesPerSecond;
    this.#clock = clock;
    this.leaseBytes = Math.max(1, Math.floor(limitBytesPerSecond / LEASES_PER_SECOND));
    this.#intervalMs = Math.max(1000 / LEASES_PER_SECOND, Math.ceil(1000 / limitBytesPerSecond));
    this.#reservoir = new Reservoir(this.#jobBytes, this.#intervalMs * LEASES_PER_JOB * REFILL_SHARE, clock);
  }

  async next(leases = 1): Promise<number> {
    const askedMs = this.#clock.monotonicMs();
    if (askedMs - this.#lastGrantMs > IDLE_LEASES * this.#intervalMs) {
      this.#countingSinceMs = askedMs;
      this.#lastGrantMs = askedMs;
      this.#grantedBytes = 0;
    }
    const due = this.#pause(this.#lastGrantMs + this.#intervalMs * leases - askedMs);
    if (this.#leasesGranted < leases) {
      await Promise.all([due, this.#reservoir.take()]);
      this.#leasesGranted += LEASES_PER_JOB;
    } else await due;
    this.#leasesGranted -= leases;
    const bytes = this.#dueBytes(this.leaseBytes * leases);
    this.#grantedBytes += bytes;
    this.#lastGrantMs = this.#clock.monotonicMs();
    return bytes;
  }

  close(): void {
    this.#cancelPause?.();
    this.#reservoir.close();
  }

  get #jobBytes(): number {
    return this.leaseBytes * LEASES_PER_JOB;
  }

  async #pause(delayMs: number): Promise<void> {
    if (delayMs <= 0) return;
    // Timers drop fractions: a lease that comes early is too small for who waits for a whole one.
    await new Promise<void>((resolve) => (this.#cancelPause = this.#clock.after(Math.ceil(delayMs), resolve)));
  }

  /** What the clock says is due: less than was asked for when this is early, somewhat more when it is late. */
  #dueBytes(askedBytes: number): number {
    const nowMs = this.#clock.monotonicMs();
    const due = this.#bytesIn(nowMs - this.#countingSinceMs) - this.#grantedBytes;
    const forgotten = due - (MAX_ARREARS_LEASES + 1) * this.leaseBytes;
    if (forgotten > 0) this.#grantedBytes += forgotten;
    const late = this.#bytesIn(nowMs - Math.max(this.#lastGrantMs, this.#countingSinceMs)) - askedBytes;
    const growth = Math.max(Math.min(late, this.leaseBytes * MAX_LATE_SHARE), askedBytes * CATCH_UP_SHARE, 1);
    return Math.max(1, Math.floor(Math.min(due, askedBytes + growth)));
  }

  #bytesIn(elapsedMs: number): number {
    return (elapsedMs / 1000) * this.#limitBytesPerSecond;
  }
}

/** @throws UsageError unless the limit is a positive, finite number of bytes per second. */
export function assertLimit(limitBytesPerSecond: number): void {
  if (Number.isFinite(limitBytesPerSecond) && limitBytesPerSecond > 0) return;
  throw new UsageError(
    `a bandwidth limit of ${limitBytesPerSecond} bytes per second can't be kept; give a positive number, or leave it out for none`,
    undefined,
    'DFP_INVALID_ARGUMENT',
  );
}
