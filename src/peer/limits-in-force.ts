import type { BandwidthLimits } from './daemon-settings.js';

export type LimitName = keyof BandwidthLimits;
export const LIMIT_NAMES = ['upload', 'uploadPerTask', 'uploadPerChild', 'download', 'backToSource'] as const;

/** Who has set a limit: the configuration, or an operator since it was read. */
export type LimitOrigin = 'config' | 'runtime';

/** The limits in force and where each comes from. */
export class LimitsInForce {
  readonly #apply: (limits: BandwidthLimits) => void;
  #limits: BandwidthLimits;
  #setAtRuntime = new Set<LimitName>();

  /** `apply` is called with every change, before it counts; what it throws refuses the change. */
  constructor(limits: BandwidthLimits, apply: (limits: BandwidthLimits) => void) {
    this.#limits = limits;
    this.#apply = apply;
  }

  get current(): BandwidthLimits {
    return this.#limits;
  }

  originOf(name: LimitName): LimitOrigin {
    return this.#setAtRuntime.has(name) ? 'runtime' : 'config';
  }

  /** What the configuration says: an operator's changes end here. Returns the names of those that were undone. */
  configure(limits: BandwidthLimits): LimitName[] {
    this.#apply(limits);
    this.#limits = limits;
    const undone = [...this.#setAtRuntime];
    this.#setAtRuntime = new Set();
    return undone;
  }

  /** An operator's wish; what is not named stays, and undefined takes a limit away. */
  change(changes: Partial<BandwidthLimits>): void {
    const limits = { ...this.#limits, ...changes };
    this.#apply(limits);
    this.#limits = limits;
    for (const name of LIMIT_NAMES) if (name in changes) this.#setAtRuntime.add(name);
  }
}
