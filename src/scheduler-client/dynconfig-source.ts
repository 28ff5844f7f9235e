import { readConfigText } from '../config/config-file.js';
import { parseDynconfig } from '../config/dynconfig.js';
import { SchedulerNames } from './scheduler-names.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

/** The schedulers that a dynconfig file names. Read anew at each refresh. */
export class DynconfigSource implements SchedulerSource {
  readonly #file: string;
  readonly #names: SchedulerNames;

  constructor(file: string, options: Pick<SourceOptions, 'clock' | 'lookup' | 'logger'>) {
    this.#file = file;
    this.#names = new SchedulerNames(options);
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const targets = parseDynconfig(await readConfigText(this.#file), this.#file);
    return { schedulers: await this.#names.resolve(targets, signal) };
  }

  close(): void {
    // Holds nothing.
  }
}
