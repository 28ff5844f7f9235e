import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import { WaitingLine } from '../core/waiting-line.js';

export interface AdmissionOptions {
  /** Transfers at once. Default {@link DEFAULT_MAX_CONCURRENT_TRANSFERS}. */
  maxConcurrent?: number;
  /** Transfers at once to one IP. Default {@link DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP}. */
  maxConcurrentPerIp?: number;
  /** Requests that wait for a slot. Default {@link DEFAULT_MAX_QUEUED_TRANSFERS}. */
  maxQueued?: number;
  /** How long one waits. Default {@link DEFAULT_QUEUE_TIMEOUT_MS}. */
  queueTimeoutMs?: number;
  clock?: Clock;
}

export const DEFAULT_MAX_CONCURRENT_TRANSFERS = 1000;
export const DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP = 100;
export const DEFAULT_MAX_QUEUED_TRANSFERS = 1000;
export const DEFAULT_QUEUE_TIMEOUT_MS = 10_000;
/** What a client that was refused is told to wait. */
export const RETRY_AFTER_SECONDS = 1;

/** Slots for transfers: so many in total, so many for one IP, and a bounded queue in front. */
export class Admission {
  readonly #maxConcurrent: number;
  readonly #maxConcurrentPerIp: number;
  readonly #maxQueued: number;
  readonly #queueTimeoutMs: number;
  readonly #perIp = new Map<string, number>();
  /** By IP. */
  readonly #queue: WaitingLine<string>;
  #running = 0;

  constructor(options: AdmissionOptions = {}) {
    this.#maxConcurrent = options.maxConcurrent ?? DEFAULT_MAX_CONCURRENT_TRANSFERS;
    this.#maxConcurrentPerIp = options.maxConcurrentPerIp ?? DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP;
    this.#maxQueued = options.maxQueued ?? DEFAULT_MAX_QUEUED_TRANSFERS;
    this.#queueTimeoutMs = options.queueTimeoutMs ?? DEFAULT_QUEUE_TIMEOUT_MS;
    this.#queue = new WaitingLine(options.clock ?? systemClock);
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Takes a slot if one is free; it must be left exactly once. */
  tryEnter(ip: string): boolean {
    if (!this.#hasSlot(ip)) return false;
    this.#occupy(ip);
    return true;
  }

  /** Waits for a slot, which must be left exactly once. @throws DFP_LIMIT when the queue is full or too slow. */
  async enter(ip: string, signal: AbortSignal): Promise<void> {
    if (this.tryEnter(ip)) return;
    if (this.#queue.length >= this.#maxQueued)
      throw busy(`${this.#running} uploads run and ${this.#queue.length} wait`);
    await this.#queue.wait(ip, {
      waitingFor: 'waiting for an upload slot',
      signal,
      timeoutMs: this.#queueTimeoutMs,
      onTimeout: () => busy(`no upload slot came free within ${this.#queueTimeoutMs} ms`),
    });
  }

  leave(ip: string): void {
    this.#running--;
    const others = (this.#perIp.get(ip) ?? 1) - 1;
    if (others === 0) this.#perIp.delete(ip);
    else this.#perIp.set(ip, others);
    this.#admitNext();
  }

  #hasSlot(ip: string): boolean {
    return this.#running < this.#maxConcurrent && (this.#perIp.get(ip) ?? 0) < this.#maxConcurrentPerIp;
  }

  #occupy(ip: string): void {
    this.#running++;
    this.#perIp.set(ip, (this.#perIp.get(ip) ?? 0) + 1);
  }

  /** The oldest waiter whose IP has a slot left: one greedy IP doesn't hold up the others. */
  #admitNext(): void {
    for (const waiter of this.#queue) {
      if (!this.#hasSlot(waiter.who)) continue;
      this.#occupy(waiter.who);
      waiter.admit();
      return;
    }
  }
}

function busy(what: string): DfpeerError {
  return new DfpeerError('DFP_LIMIT', `too many uploads: ${what}; try again later`);
}
