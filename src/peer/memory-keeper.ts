import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimMemory } from '../../native/index.js';
import { type Clock, every } from '../core/clock.js';
import { residentBytes } from '../core/kernel-facts.js';
import type { Logger } from '../core/logger.js';

/** How often the daemon looks whether it has memory to give back; what is garbage, only when it was idle at two looks. */
export const MEMORY_INTERVAL_MS = 5000;
/** What an idle daemon must have added since the last time. */
const WORTH_BYTES = 8 * 1024 * 1024;

export interface MemoryKeeperOptions {
  isBusy: () => boolean;
  clock: Clock;
  logger: Logger;
  /** Resident bytes of this process; undefined while that can't be told, and then nothing is done. */
  residentBytes?: () => number | undefined;
  /** Collects garbage: tens of milliseconds for a heap of tens of megabytes. */
  collect?: () => void;
  /** Makes malloc give back what it keeps free: a few milliseconds. */
  trim?: () => void;
}

/**
 * An idle V8 does not collect, and glibc keeps what is free: a daemon that did something once would stay as large for ever. While it works
 * it only trims, which keeps nobody waiting.
 */
export class MemoryKeeper {
  readonly #options: MemoryKeeperOptions;
  readonly #residentBytes: () => number | undefined;
  readonly #collect: () => void;
  readonly #trim: () => void;
  #settledBytes = 0;
  #wasBusy = true;
  #cancel: () => void = () => undefined;

  constructor(options: MemoryKeeperOptions) {
    this.#options = options;
    this.#residentBytes = options.residentBytes ?? residentBytes;
    this.#collect = options.collect ?? collectGarbage;
    this.#trim = options.trim ?? trimMemory;
  }

  start(): void {
    this.#cancel = every(this.#options.clock, MEMORY_INTERVAL_MS, () => this.#look());
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const isIdle = !this.#options.isBusy() && !this.#wasBusy;
    this.#wasBusy = this.#options.isBusy();
    const before = this.#residentBytes();
    if (before === undefined) return this.#options.logger.debug({}, 'how large the process is can not be told');
    if (isIdle && before < this.#settledBytes + WORTH_BYTES) return;
    if (isIdle) this.#collect();
    this.#trim();
    const after = this.#residentBytes();
    if (isIdle) this.#settledBytes = after ?? before;
    this.#options.logger.debug({ before, after, isIdle }, 'unused memory was given back');
  }
}

function collectGarbage(): void {
  // The collector is not reachable otherwise without a flag on the command line.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (() => void) | undefined;
  setFlagsFromString('--no-expose-gc');
  collect?.();
}
