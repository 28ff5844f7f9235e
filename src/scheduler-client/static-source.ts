import { parseHostPort, type HostPort } from '../core/host-port.js';
import { SchedulerNames } from './scheduler-names.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

/** Addresses from flags or the configuration. Names are resolved at each refresh. */
export class StaticSource implements SchedulerSource {
  readonly #targets: readonly HostPort[];
  readonly #names: SchedulerNames;

  constructor(addrs: readonly string[], options: Pick<SourceOptions, 'clock' | 'lookup' | 'logger'>) {
    this.#targets = addrs.map((addr) => parseHostPort(addr, 'a scheduler address'));
    this.#names = new SchedulerNames(options);
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    return { schedulers: await this.#names.resolve(this.#targets, signal) };
  }

  close(): void {
    // Holds nothing.
  }
}
