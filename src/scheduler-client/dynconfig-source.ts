import { readConfigText } from '../config/config-file.js';
import { parseDynconfig, type Dynconfig } from '../config/dynconfig.js';
import { readBlockList, toBlockList, type BlockList } from './block-list.js';
import { SchedulerNames } from './scheduler-names.js';
import type { SchedulerList, SchedulerSource, SourceOptions } from './scheduler-source.js';

/** The schedulers and the block list of a dynconfig file. Read anew at each refresh. */
export class DynconfigSource implements SchedulerSource {
  readonly #file: string;
  readonly #options: Pick<SourceOptions, 'host' | 'logger'>;
  readonly #names: SchedulerNames;

  constructor(file: string, options: Pick<SourceOptions, 'host' | 'clock' | 'lookup' | 'logger'>) {
    this.#file = file;
    this.#options = options;
    this.#names = new SchedulerNames(options);
  }

  async list(signal: AbortSignal): Promise<SchedulerList> {
    const dynconfig = parseDynconfig(await readConfigText(this.#file), this.#file);
    const schedulers = await this.#names.resolve(dynconfig.schedulers, signal);
    return { schedulers, blockList: this.#blockList(dynconfig) };
  }

  close(): void {
    // Holds nothing.
  }

  #blockList({ clientConfig, seedClientConfig }: Dynconfig): BlockList | undefined {
    const { host, logger } = this.#options;
    const [key, config] =
      host.type === 'seed' ? ['seedClientConfig', seedClientConfig] : ['clientConfig', clientConfig];
    return readBlockList(`${key} in ${this.#file}`, logger, () => toBlockList(config ?? {}, logger));
  }
}
