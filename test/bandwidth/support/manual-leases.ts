import { BandwidthLimiter } from '../../../src/bandwidth/bandwidth-limiter.js';
import type { LeaseSource } from '../../../src/bandwidth/lease-source.js';

/** Leases that come when the test says so. */
export class ManualLeases implements LeaseSource {
  closed = false;
  askedLeases = 0;
  #grant: ((bytes: number) => void) | undefined;

  constructor(readonly leaseBytes: number) {}

  get asked(): boolean {
    return this.#grant !== undefined;
  }

  next(leases = 1): Promise<number> {
    this.askedLeases = leases;
    return new Promise((resolve) => (this.#grant = resolve));
  }

  async grant(): Promise<void> {
    const grant = this.#grant;
    this.#grant = undefined;
    grant?.(this.leaseBytes * this.askedLeases);
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.closed = true;
  }
}

/** With a limit of 1 at first, for which `leaseBytes` stand; later limits are their own leases. */
export function manualLimiter(
  leaseBytes: number,
  maxWaiters?: number,
): { limiter: BandwidthLimiter; sources: ManualLeases[] } {
  const sources: ManualLeases[] = [];
  const createLeases = (limit: number): ManualLeases => {
    const source = new ManualLeases(limit === 1 ? leaseBytes : limit);
    sources.push(source);
    return source;
  };
  return {
    limiter: new BandwidthLimiter(1, { createLeases, ...(maxWaiters === undefined ? {} : { maxWaiters }) }),
    sources,
  };
}
