import { credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import type { ListHostsResponse__Output } from '../../../src/generated/scheduler/v2/ListHostsResponse.js';
import { Scheduler } from '../../../src/grpc/protos.js';
import { scrape, sumSamples } from '../../support/metrics.js';
import type { Config } from '../../support/config.js';
import { SCHEDULER_PORT } from './cluster.js';

const METRICS_PORT = 8000;
const DEADLINE_MS = 5000;
/** A scheduler that was just restarted is connected to again first, however long ago the last attempt failed. */
const WAIT_FOR_READY = new Metadata({ waitForReady: true });

/** Lets a probe count; to be merged into the scheduler's configuration. */
export const PROBED: Config = { metrics: { enable: true, addr: `:${METRICS_PORT}` } };

/** Asks Dragonfly's scheduler what it knows. */
export class SchedulerProbe {
  readonly #ip: string;
  readonly #client: InstanceType<typeof Scheduler>;

  constructor(ip: string) {
    this.#ip = ip;
    this.#client = new Scheduler(`${ip}:${SCHEDULER_PORT}`, credentials.createInsecure());
  }

  /** The names of the hosts that were announced to it, sorted. */
  async hostnames(): Promise<string[]> {
    const answer = await new Promise<ListHostsResponse__Output>((resolve, reject) =>
      this.#client.listHosts({}, WAIT_FOR_READY, { deadline: Date.now() + DEADLINE_MS }, (error, value) =>
        value === undefined ? reject(error ?? new Error('no answer')) : resolve(value),
      ),
    );
    return answer.hosts.map(({ hostname }) => hostname).sort();
  }

  async knows(taskId: string): Promise<boolean> {
    const error = await new Promise<ServiceError | null>((resolve) =>
      this.#client.statTask(
        { hostId: 'probe', taskId },
        WAIT_FOR_READY,
        { deadline: Date.now() + DEADLINE_MS },
        resolve,
      ),
    );
    if (error !== null && error.code !== status.NOT_FOUND) throw error;
    return error === null;
  }

  /** Peers that registered since its start. */
  async registrations(): Promise<number> {
    const samples = await scrape(`http://${this.#ip}:${METRICS_PORT}/metrics`);
    return sumSamples(samples, 'dragonfly_scheduler_register_peer_total', {});
  }

  close(): void {
    this.#client.close();
  }
}
