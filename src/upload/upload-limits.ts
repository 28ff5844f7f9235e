import type { ByteBudget } from '../core/byte-budget.js';
import type { TaskId } from '../core/task-id.js';
import { effectiveLimit } from './route.js';
import { BandwidthLimiter, type BandwidthLimiterOptions } from '../bandwidth/bandwidth-limiter.js';
import { KeyedLimiters } from '../bandwidth/keyed-limiters.js';
import { assertLimit } from '../bandwidth/lease-source.js';
import { NestedBudget } from '../bandwidth/nested-budget.js';

/** Bytes per second; undefined: none. */
export interface UploadRates {
  total?: number | undefined;
  perTask?: number | undefined;
  perChildIp?: number | undefined;
  /** Speed of the interface: a limit at or above it counts as none. */
  interface?: number | undefined;
}

/** What one upload has of the limits while it runs. */
export interface UploadAllowance {
  readonly budget: ByteBudget;
  /** Gives up the places in the per-task and per-IP limits. Exactly once. */
  release(): void;
}

/** The node's upload limits: one for all, and on top one for each task and each child's IP. */
export class UploadLimits {
  readonly total: BandwidthLimiter;
  readonly #perTask: KeyedLimiters;
  readonly #perChildIp: KeyedLimiters;
  readonly #listeners = new Set<() => void>();
  #rates: UploadRates;
  #tightest: number | undefined;

  /** @throws UsageError for a limit that isn't positive. */
  constructor(rates: UploadRates, options: BandwidthLimiterOptions = {}) {
    const effective = effectiveRates(rates);
    this.#rates = rates;
    this.#tightest = tightest(effective);
    this.total = new BandwidthLimiter(effective.total, options);
    this.#perTask = new KeyedLimiters(effective.perTask, options);
    this.#perChildIp = new KeyedLimiters(effective.perChildIp, options);
  }

  get rates(): UploadRates {
    return this.#rates;
  }

  /** The tightest limit that binds an upload; undefined: none does. */
  get limitBytesPerSecond(): number | undefined {
    return this.#tightest;
  }

  /** Takes effect on running uploads at their next quantum. @throws UsageError for a limit that isn't positive. */
  setRates(rates: UploadRates): void {
    const effective = effectiveRates(rates);
    this.#rates = rates;
    this.#tightest = tightest(effective);
    this.total.setLimit(effective.total);
    this.#perTask.setLimit(effective.perTask);
    this.#perChildIp.setLimit(effective.perChildIp);
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls back after every change; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  allow(taskId: TaskId, childIp: string): UploadAllowance {
    const budget = new NestedBudget([this.#perChildIp.acquire(childIp), this.#perTask.acquire(taskId), this.total]);
    return {
      budget,
      release: () => {
        this.#perChildIp.release(childIp);
        this.#perTask.release(taskId);
      },
    };
  }

  close(): void {
    this.total.close();
    this.#listeners.clear();
  }
}

function effectiveRates(rates: UploadRates): UploadRates {
  for (const limit of [rates.total, rates.perTask, rates.perChildIp]) if (limit !== undefined) assertLimit(limit);
  return {
    total: effectiveLimit(rates.total, rates.interface),
    perTask: effectiveLimit(rates.perTask, rates.interface),
    perChildIp: effectiveLimit(rates.perChildIp, rates.interface),
  };
}

function tightest({ total, perTask, perChildIp }: UploadRates): number | undefined {
  const limits = [total, perTask, perChildIp].filter((limit) => limit !== undefined);
  return limits.length === 0 ? undefined : Math.min(...limits);
}
