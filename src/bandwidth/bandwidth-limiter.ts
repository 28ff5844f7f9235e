import type { ByteBudget, LeaseSize } from '../core/byte-budget.js';
import { type Clock, systemClock } from '../core/clock.js';
import { abortReason } from '../core/deadline.js';
import { DfpeerError } from '../core/errors.js';
import { BottleneckLeases, type LeaseSource, assertLimit } from './lease-source.js';

/** Requests that may wait for one limiter; more are refused with DFP_LIMIT. */
export const MAX_LIMITER_WAITERS = 10_000;
/**
 * A lease is shared out among the waiting in parts no smaller than this, to as many as it does for: fewer, larger socket writes. No
 * larger than what the copy route begins with, or who asks for less would get less.
 */
const MIN_SHARE_BYTES = 64 * 1024;
/** A large lease is this many ordinary ones: 40 ms keep the peaks of 100 ms windows at 6/5, as 20 ms do. */
const LARGE_LEASES = 2;
/** To those who want large leases the same is shared out in parts no smaller than this; where an ordinary lease is smaller, none is large. */
const MIN_LARGE_SHARE_BYTES = 256 * 1024;

export interface BandwidthLimiterOptions {
  clock?: Clock;
  maxWaiters?: number;
  /** Where leases for one limit come from; Bottleneck by default, virtual time in the simulator. */
  createLeases?: (limitBytesPerSecond: number) => LeaseSource;
}

interface Waiter {
  wanted: number;
  size: LeaseSize;
  resolve(bytes: number): void;
  reject(error: Error): void;
}

/**
 * A bandwidth limit in bytes per second, shared first come first served by whoever moves bytes.
 *
 * Waiting requests live here, leases in the {@link LeaseSource}: one lease at a time is fetched and shared out, so a
 * new limit only swaps the source, and nobody loses a place or is granted twice.
 */
export class BandwidthLimiter implements ByteBudget {
  readonly #createLeases: (limitBytesPerSecond: number) => LeaseSource;
  readonly #maxWaiters: number;
  readonly #waiters = new Set<Waiter>();
  #limit: number | undefined;
  #leases: LeaseSource | undefined;
  #terms: object = {};
  #balance = 0;
  #spentBytes = 0;
  #fetching = false;
  #closed = false;

  /** @throws UsageError unless the limit is undefined (none) or positive. */
  constructor(limitBytesPerSecond: number | undefined, options: BandwidthLimiterOptions = {}) {
    const { clock = systemClock, maxWaiters = MAX_LIMITER_WAITERS } = options;
    this.#createLeases = options.createLeases ?? ((limit) => new BottleneckLeases(limit, clock));
    this.#maxWaiters = maxWaiters;
    this.#limit = limitBytesPerSecond;
    if (limitBytesPerSecond !== undefined) this.#leases = this.#createLeases(limitBytesPerSecond);
  }

  /** Undefined: unlimited. */
  get limitBytesPerSecond(): number | undefined {
    return this.#limit;
  }

  /** Bytes granted and not given back since the start. */
  get spentBytes(): number {
    return this.#spentBytes;
  }

  get terms(): object {
    return this.#terms;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Takes effect at once, for those waiting too. @throws UsageError unless undefined (none) or positive. */
  setLimit(limitBytesPerSecond: number | undefined): void {
    if (limitBytesPerSecond === this.#limit) return;
    if (limitBytesPerSecond !== undefined) assertLimit(limitBytesPerSecond);
    this.#leases?.close();
    this.#limit = limitBytesPerSecond;
    this.#leases = limitBytesPerSecond === undefined ? undefined : this.#createLeases(limitBytesPerSecond);
    this.#fetching = false;
    this.#capBalance();
    this.#terms = {};
    this.#serve();
  }

  async take(wanted: number, signal: AbortSignal, size: LeaseSize = 'soon'): Promise<number> {
    if (signal.aborted) throw abortReason(signal, 'waiting for bandwidth');
    if (this.#closed) throw closedError();
    if (this.#leases === undefined) return this.#grant(wanted);
    const atOnce = this.#waiters.size === 0 && this.#balance >= Math.min(wanted, this.#leastShare(size, 1));
    if (atOnce) return this.#grant(Math.min(wanted, this.#balance));
    if (this.#waiters.size >= this.#maxWaiters)
      throw new DfpeerError(
        'DFP_LIMIT',
        `${this.#waiters.size} transfers already wait for bandwidth; try again later, or raise the limit`,
      );
    return this.#enqueue(wanted, signal, size);
  }

  giveBack(unspent: number, terms: object = this.#terms): void {
    this.#spentBytes -= unspent;
    // What another limit granted, or none, is no credit within this one.
    if (this.#leases === undefined || terms !== this.#terms) return;
    this.#balance += unspent;
    this.#serve();
    if (this.#waiters.size === 0) this.#capBalance();
  }

  /** Ends the timers; those waiting fail with DFP_SHUTTING_DOWN. */
  close(): void {
    this.#closed = true;
    this.#leases?.close();
    for (const waiter of [...this.#waiters]) waiter.reject(closedError());
  }

  #enqueue(wanted: number, signal: AbortSignal, size: LeaseSize): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      const onAbort = (): void => waiter.reject(abortReason(signal, 'waiting for bandwidth'));
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        wanted,
        size,
        resolve: (bytes) => (leave(), resolve(bytes)),
        reject: (error) => (leave(), reject(error)),
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#serve();
    });
  }

  /** Shares out what there is, oldest request first, and fetches the next lease when somebody still waits. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      if (this.#leases === undefined) {
        waiter.resolve(this.#grant(waiter.wanted));
        continue;
      }
      const least = this.#leastShare(waiter.size, this.#waiters.size);
      if (this.#balance < Math.min(waiter.wanted, least)) break;
      const share = Math.max(least, Math.ceil(this.#balance / this.#waiters.size));
      waiter.resolve(this.#grant(Math.min(waiter.wanted, share, this.#balance)));
    }
    if (this.#waiters.size > 0) this.#fetchLease();
  }

  /** What one of so many gets at least, unless it wants less. */
  #leastShare(size: LeaseSize, sharers: number): number {
    const leaseBytes = this.#leases?.leaseBytes ?? 0;
    if (size === 'large' && leaseBytes >= MIN_LARGE_SHARE_BYTES) {
      const largeBytes = leaseBytes * LARGE_LEASES;
      return Math.min(Math.max(MIN_LARGE_SHARE_BYTES, Math.ceil(largeBytes / sharers)), largeBytes);
    }
    // A remainder waits for the next lease: two who take turns would always get the large part and the small one.
    return sharers > 1 ? Math.min(MIN_SHARE_BYTES, leaseBytes) : 1;
  }

  #grant(bytes: number): number {
    if (this.#leases !== undefined) this.#balance -= bytes;
    this.#spentBytes += bytes;
    return bytes;
  }

  #fetchLease(): void {
    const leases = this.#leases;
    if (leases === undefined || this.#fetching || this.#closed) return;
    this.#fetching = true;
    const receive = (bytes: number): void => {
      if (leases !== this.#leases) return;
      this.#fetching = false;
      this.#balance += bytes;
      this.#serve();
      if (this.#waiters.size === 0) this.#capBalance();
    };
    leases.next(this.#leasesToFetch(leases.leaseBytes)).then(receive, (cause: unknown) => {
      if (leases !== this.#leases) return;
      this.#fetching = false;
      const error = new DfpeerError('DFP_INTERNAL', 'the bandwidth limiter stopped granting', { cause });
      for (const waiter of [...this.#waiters]) waiter.reject(error);
    });
  }

  /** As many as the next share still needs, if it is a large one and all for one: each lease wakes the thread. */
  #leasesToFetch(leaseBytes: number): number {
    const [next] = this.#waiters;
    if (next?.size !== 'large') return 1;
    const neededBytes = Math.min(next.wanted, this.#leastShare('large', this.#waiters.size)) - this.#balance;
    return Math.ceil(neededBytes / leaseBytes);
  }

  /** What nobody waits for is kept up to one lease, and so is what a former limit granted: more would be a burst. */
  #capBalance(): void {
    this.#balance = this.#leases === undefined ? 0 : Math.min(this.#balance, this.#leases.leaseBytes);
  }
}

function closedError(): DfpeerError {
  return new DfpeerError('DFP_SHUTTING_DOWN', 'the bandwidth limiter is closed: no more bytes move');
}
