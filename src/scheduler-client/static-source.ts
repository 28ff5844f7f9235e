import { parseHostPort, type HostPort } from '../core/host-port.js';
import { resolveSchedulers } from './scheduler-address.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

/** Addresses from flags or the configuration. Names are resolved at each refresh. */
export class StaticSource implements SchedulerSource {
  readonly #targets: readonly HostPort[];
  readonly #options: Pick<SourceOptions, 'clock' | 'lookup'>;

  constructor(addrs: readonly string[], options: Pick<SourceOptions, 'clock' | 'lookup'>) {
    this.#targets = addrs.map((addr) => parseHostPort(addr, 'a scheduler address'));
    this.#options = options;
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const resolved = this.#targets.map((target) => resolveSchedulers(target, { ...this.#options, signal }));
    return { schedulers: (await Promise.all(resolved)).flat() };
  }

  close(): void {
    // Holds nothing.
  }
}
