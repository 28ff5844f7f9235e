import { readConfigText } from '../config/config-file.js';
import { parseDynconfig } from '../config/dynconfig.js';
import { resolveSchedulers } from './scheduler-address.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

/** The schedulers that a dynconfig file names. Read anew at each refresh. */
export class DynconfigSource implements SchedulerSource {
  readonly #file: string;
  readonly #options: Pick<SourceOptions, 'clock' | 'lookup'>;

  constructor(file: string, options: Pick<SourceOptions, 'clock' | 'lookup'>) {
    this.#file = file;
    this.#options = options;
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const targets = parseDynconfig(await readConfigText(this.#file), this.#file);
    const resolved = targets.map((target) => resolveSchedulers(target, { ...this.#options, signal }));
    return { schedulers: (await Promise.all(resolved)).flat() };
  }

  close(): void {
    // Holds nothing.
  }
}
