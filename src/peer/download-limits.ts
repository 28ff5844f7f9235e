import type { Clock } from '../core/clock.js';
import { BandwidthLimiter } from '../bandwidth/bandwidth-limiter.js';
import { effectiveLimit } from '../upload/index.js';
import type { BandwidthLimits } from './daemon-settings.js';
import type { DownloadBudgets } from './download/download-budgets.js';

/** The node's limits on what comes in: one for everything, one on top for bytes from origins. */
export class DownloadLimits implements DownloadBudgets {
  readonly #download: BandwidthLimiter;
  readonly #source: BandwidthLimiter;
  readonly #interfaceBytesPerSecond: number;

  /** A limit at or above the interface's speed counts as none, as for uploads. */
  constructor(limits: BandwidthLimits, options: { interfaceBytesPerSecond: number; clock: Clock }) {
    const { interfaceBytesPerSecond, clock } = options;
    this.#interfaceBytesPerSecond = interfaceBytesPerSecond;
    this.#download = new BandwidthLimiter(this.#effective(limits.download), { clock });
    this.#source = new BandwidthLimiter(this.#effective(limits.backToSource), { clock });
  }

  set(limits: BandwidthLimits): void {
    this.#download.setLimit(this.#effective(limits.download));
    this.#source.setLimit(this.#effective(limits.backToSource));
  }

  forParentPiece(): BandwidthLimiter[] {
    return inForce(this.#download);
  }

  forOriginPiece(): BandwidthLimiter[] {
    return [...inForce(this.#download), ...inForce(this.#source)];
  }

  forOriginStream(): BandwidthLimiter[] {
    return [this.#download, this.#source];
  }

  close(): void {
    this.#download.close();
    this.#source.close();
  }

  #effective(limit: number | undefined): number | undefined {
    return effectiveLimit(limit, this.#interfaceBytesPerSecond);
  }
}

function inForce(limiter: BandwidthLimiter): BandwidthLimiter[] {
  return limiter.limitBytesPerSecond === undefined ? [] : [limiter];
}
