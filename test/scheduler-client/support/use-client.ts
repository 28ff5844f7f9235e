import {
  createSchedulerClient,
  type DaemonSchedulerClient,
  type SchedulerClientOptions,
} from '../../../src/scheduler-client/client.js';
import { host, load } from './fixtures.js';
import { ScriptedScheduler } from './scripted-scheduler.js';

/** A client and its schedulers, anew for each test, and ended after it. */
export class ClientStage {
  schedulers: ScriptedScheduler[] = [];
  /** Addresses of those that it joined, in their order. */
  joined: string[] = [];
  #client: DaemonSchedulerClient | undefined;

  /** @throws Error before it was started */
  get client(): DaemonSchedulerClient {
    if (this.#client === undefined) throw new Error('no client was started');
    return this.#client;
  }

  readonly startSchedulers = async (count: number): Promise<ScriptedScheduler[]> => {
    this.schedulers = await Promise.all(Array.from({ length: count }, () => ScriptedScheduler.start()));
    return this.schedulers;
  };

  /** Of all schedulers that run, unless told otherwise. */
  readonly startClient = async (options: Partial<SchedulerClientOptions> = {}): Promise<DaemonSchedulerClient> => {
    this.#client = createSchedulerClient({
      host,
      load: async () => load,
      source: { kind: 'static', addrs: this.schedulers.map(({ address }) => address) },
      build: { version: '1.0.0' },
      rejoinSpreadMs: 0,
      onSchedulerJoined: (address) => void this.joined.push(address),
      ...options,
    });
    await this.#client.start();
    return this.#client;
  };

  readonly health = (): Record<string, boolean> =>
    Object.fromEntries(this.client.status().map(({ address, healthy }) => [address, healthy]));

  async end(): Promise<void> {
    await this.#client?.stop();
    for (const scheduler of this.schedulers) scheduler.kill();
    [this.#client, this.schedulers, this.joined] = [undefined, [], []];
  }
}

/** Of each test in this suite. */
export function useClient(): ClientStage {
  const stage = new ClientStage();
  afterEach(() => stage.end());
  return stage;
}
