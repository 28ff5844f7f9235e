import { type Clock, systemClock } from '../core/clock.js';
import { abortReason } from '../core/deadline.js';
import { DfpeerError } from '../core/errors.js';

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

interface Waiter {
  ip: string;
  admit(): void;
}

/** Slots for transfers: so many in total, so many for one IP, and a bounded queue in front. */
export class Admission {
  readonly #maxConcurrent: number;
  readonly #maxConcurrentPerIp: number;
  readonly #maxQueued: number;
  readonly #queueTimeoutMs: number;
  readonly #clock: Clock;
  readonly #perIp = new Map<string, number>();
  readonly #queue = new Set<Waiter>();
  #running = 0;

  constructor(options: AdmissionOptions = {}) {
    this.#maxConcurrent = options.maxConcurrent ?? DEFAULT_MAX_CONCURRENT_TRANSFERS;
    this.#maxConcurrentPerIp = options.maxConcurrentPerIp ?? DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP;
    this.#maxQueued = options.maxQueued ?? DEFAULT_MAX_QUEUED_TRANSFERS;
    this.#queueTimeoutMs = options.queueTimeoutMs ?? DEFAULT_QUEUE_TIMEOUT_MS;
    this.#clock = options.clock ?? systemClock;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.size;
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
    if (this.#queue.size >= this.#maxQueued) throw busy(`${this.#running} uploads run and ${this.#queue.size} wait`);
    if (signal.aborted) throw abortReason(signal, 'waiting for an upload slot');
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#queue.delete(waiter);
        cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const fail = (error: Error): void => (leave(), reject(error));
      const onAbort = (): void => fail(abortReason(signal, 'waiting for an upload slot'));
      const waiter: Waiter = { ip, admit: () => (leave(), resolve()) };
      const cancel = this.#clock.after(this.#queueTimeoutMs, () =>
        fail(busy(`no upload slot came free within ${this.#queueTimeoutMs} ms`)),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(waiter);
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
      if (this.#running >= this.#maxConcurrent) return;
      if (!this.#hasSlot(waiter.ip)) continue;
      this.#occupy(waiter.ip);
      waiter.admit();
      return;
    }
  }
}

function busy(what: string): DfpeerError {
  return new DfpeerError('DFP_LIMIT', `too many uploads: ${what}; try again later`);
}
