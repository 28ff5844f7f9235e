import type { Clock } from '../core/clock.js';
import { BandwidthLimiter } from '../upload/index.js';
import type { BandwidthLimits } from './daemon-settings.js';

/** The node's limits on what comes in: one for everything, one on top for bytes from origins. */
export class DownloadLimits {
  readonly #download: BandwidthLimiter;
  readonly #source: BandwidthLimiter;

  constructor(limits: BandwidthLimits, clock: Clock) {
    this.#download = new BandwidthLimiter(limits.download, { clock });
    this.#source = new BandwidthLimiter(limits.backToSource, { clock });
  }

  set(limits: BandwidthLimits): void {
    this.#download.setLimit(limits.download);
    this.#source.setLimit(limits.backToSource);
  }

  forDownload(): BandwidthLimiter[] {
    return inForce(this.#download);
  }

  forSource(): BandwidthLimiter[] {
    return inForce(this.#source);
  }

  close(): void {
    this.#download.close();
    this.#source.close();
  }
}

/** An unlimited transfer should not even ask. */
function inForce(limiter: BandwidthLimiter): BandwidthLimiter[] {
  return limiter.limitBytesPerSecond === undefined ? [] : [limiter];
}
