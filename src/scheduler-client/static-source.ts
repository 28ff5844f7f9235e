import { toDfpeerError } from '../core/errors.js';
import { parseHostPort, type HostPort } from '../core/host-port.js';
import { resolveSchedulers, type SchedulerAddress } from './scheduler-address.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

/** Addresses from flags or the configuration. Names are resolved at each refresh. */
export class StaticSource implements SchedulerSource {
  readonly #targets: readonly HostPort[];
  readonly #options: Pick<SourceOptions, 'clock' | 'lookup' | 'logger'>;
  /** What each name last stood for. */
  readonly #resolved = new Map<HostPort, SchedulerAddress[]>();
  #isTold = false;

  constructor(addrs: readonly string[], options: Pick<SourceOptions, 'clock' | 'lookup' | 'logger'>) {
    this.#targets = addrs.map((addr) => parseHostPort(addr, 'a scheduler address'));
    this.#options = options;
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const errors: unknown[] = [];
    const resolve = async (target: HostPort): Promise<void> => {
      try {
        this.#resolved.set(target, await resolveSchedulers(target, { ...this.#options, signal }));
      } catch (error) {
        errors.push(error);
      }
    };
    await Promise.all(this.#targets.map(resolve));
    const schedulers = this.#targets.flatMap((target) => this.#resolved.get(target) ?? []);
    // A name without an address keeps nobody from the other schedulers.
    if (schedulers.length === 0 && errors.length > 0) throw toDfpeerError(errors[0]);
    if (!signal.aborted) this.#tellOf(errors);
    return { schedulers };
  }

  /** Once, until all names resolve again. */
  #tellOf(errors: readonly unknown[]): void {
    const [err] = errors;
    if (err !== undefined && !this.#isTold)
      this.#options.logger.warn({ err }, 'a scheduler has no address but the one it had; the others are used');
    this.#isTold = err !== undefined;
  }

  close(): void {
    // Holds nothing.
  }
}
