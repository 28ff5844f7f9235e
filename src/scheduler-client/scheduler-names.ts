import type { Clock } from '../core/clock.js';
import { toDfpeerError } from '../core/errors.js';
import { formatHostPort, type HostPort } from '../core/host-port.js';
import type { Logger } from '../core/logger.js';
import { resolveSchedulers, type Lookup, type SchedulerAddress } from './scheduler-address.js';

/** What the schedulers of a list stand for. A name without an address keeps nobody from the others. */
export class SchedulerNames {
  readonly #options: { clock: Clock; lookup: Lookup; logger: Logger };
  /** What each name last stood for. */
  #resolved: ReadonlyMap<string, SchedulerAddress[]> = new Map();
  #isTold = false;

  constructor(options: { clock: Clock; lookup: Lookup; logger: Logger }) {
    this.#options = options;
  }

  /** Rejects with a coded error where none of them has an address, nor had one before. */
  async resolve(targets: readonly HostPort[], signal: AbortSignal): Promise<SchedulerAddress[]> {
    const errors: unknown[] = [];
    const resolve = async (target: HostPort): Promise<[string, SchedulerAddress[]]> => {
      const name = formatHostPort(target.host, target.port);
      try {
        return [name, await resolveSchedulers(target, { ...this.#options, signal })];
      } catch (error) {
        errors.push(error);
        return [name, this.#resolved.get(name) ?? []];
      }
    };
    this.#resolved = new Map(await Promise.all(targets.map(resolve)));
    const schedulers = [...this.#resolved.values()].flat();
    if (schedulers.length === 0 && errors.length > 0) throw toDfpeerError(errors[0]);
    if (!signal.aborted) this.#tellOf(errors);
    return schedulers;
  }

  /** Once, until all names resolve again. */
  #tellOf(errors: readonly unknown[]): void {
    const [err] = errors;
    if (err !== undefined && !this.#isTold)
      this.#options.logger.warn({ err }, 'a scheduler has no address but the one it had; the others are used');
    this.#isTold = err !== undefined;
  }
}
