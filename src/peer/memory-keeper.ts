import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimMemory } from '../../native/index.js';
import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';

/** Idle between two looks, the daemon gives memory back. */
export const IDLE_MEMORY_INTERVAL_MS = 5000;
/** What must have been added since the last time. */
const WORTH_BYTES = 8 * 1024 * 1024;

export interface MemoryKeeperOptions {
  isBusy: () => boolean;
  clock: Clock;
  logger: Logger;
  /** Resident bytes of this process. */
  residentBytes?: () => number;
  giveBack?: () => void;
}

/** An idle V8 does not collect, and glibc keeps what is free: a daemon that did something once would stay as large for ever. */
export class MemoryKeeper {
  readonly #options: MemoryKeeperOptions;
  readonly #residentBytes: () => number;
  readonly #giveBack: () => void;
  #settledBytes = 0;
  #wasBusy = true;
  #cancel: () => void = () => undefined;

  constructor(options: MemoryKeeperOptions) {
    this.#options = options;
    this.#residentBytes = options.residentBytes ?? (() => process.memoryUsage.rss());
    this.#giveBack = options.giveBack ?? giveBackMemory;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(
      IDLE_MEMORY_INTERVAL_MS,
      () => {
        this.#look();
        this.start();
      },
      { unref: true },
    );
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const isIdle = !this.#options.isBusy() && !this.#wasBusy;
    this.#wasBusy = this.#options.isBusy();
    const before = this.#residentBytes();
    if (!isIdle || before < this.#settledBytes + WORTH_BYTES) return;
    this.#giveBack();
    this.#settledBytes = this.#residentBytes();
    this.#options.logger.debug({ before, after: this.#settledBytes }, 'idle: unused memory was given back');
  }
}

/** Tens of milliseconds for a heap of tens of megabytes. */
function giveBackMemory(): void {
  // The collector is not reachable otherwise without a flag on the command line.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (() => void) | undefined;
  setFlagsFromString('--no-expose-gc');
  collect?.();
  trimMemory();
}
