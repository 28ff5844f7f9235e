import type { Registry } from 'prom-client';
import { type Clock, every } from '../core/clock.js';
import { hasCode } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { DaemonSchedulerClient } from '../scheduler-client/index.js';
import type { DaemonSettings, ListenAddress } from './daemon-settings.js';
import type { LimitsInForce } from './limits-in-force.js';
import type { Shutdown } from './shutdown.js';
import type { DaemonFacts, DaemonView } from './status/daemon-view.js';
import type { DaemonWatch } from './status/daemon-watch.js';
import { viewLimits } from './status/limits-view.js';
import { SAMPLE_INTERVAL_MS } from './status/throughput.js';
import type { WatchedFetcher } from './status/watched-fetcher.js';
import { StatusPageServer } from './status-page/server.js';
import type { TaskStore } from './store/task-store.js';
import type { UploadSide } from './upload-side.js';

export interface OperatorSideParts {
  settings: DaemonSettings;
  watch: DaemonWatch;
  limits: LimitsInForce;
  limitedRoute: () => string;
  store: TaskStore;
  uploads: UploadSide;
  fetcher: WatchedFetcher;
  scheduler: DaemonSchedulerClient | undefined;
  hostId: string;
  /** None until all are bound. */
  ports: () => object;
  registry: Registry;
  shutdown: Shutdown;
  logger: Logger;
  clock: Clock;
}

/** What operators are told, by the admin service and the status page. */
export function createView(parts: OperatorSideParts): DaemonView {
  const { settings, watch, limits, store, uploads, fetcher, scheduler, hostId } = parts;
  const { version, host } = settings;
  const { interfaceBytesPerSecond, service } = uploads;
  const startedAtMs = parts.clock.now();
  const throughput = watch.watchThroughput(fetcher, parts.registry, parts.logger);
  throughput.start();
  parts.shutdown.add('the throughput samples', async () => throughput.stop());
  const view = watch.view({
    store,
    fetcher,
    throughput,
    uploads: () => service.list(),
    schedulers: () => scheduler?.status() ?? [],
    limits: () => viewLimits({ limits, limitedRoute: parts.limitedRoute(), interfaceBytesPerSecond, settings }),
    facts: () => ({ version, pid: process.pid, hostId, ip: host.ip, startedAtMs, ports: portsOf(parts.ports()) }),
  });
  const stopSampling = every(parts.clock, SAMPLE_INTERVAL_MS, () => view.sampleTransfers());
  parts.shutdown.add('the samples of transfers', async () => stopSampling());
  return view;
}

/** Starts a listener, on another port where that is allowed. */
type Bind = <T>(address: ListenAddress, start: (address: ListenAddress) => Promise<T>) => Promise<T>;

/** Resolves with the page's port; undefined without one. @throws DfpeerError DFP_LISTEN when the configured port is taken */
export async function startStatusPage(
  view: DaemonView,
  {
    settings,
    bind,
    shutdown,
    logger,
    clock,
  }: Pick<OperatorSideParts, 'settings' | 'shutdown' | 'logger' | 'clock'> & { bind: Bind },
): Promise<number | undefined> {
  const { statusPage, host } = settings;
  if (statusPage === undefined) return undefined;
  const options = { view, hostname: host.hostname, clock, logger };
  try {
    const server = await bind(statusPage, (listen) => StatusPageServer.start(listen, options));
    shutdown.add('the status page', () => server.close());
    return server.port;
  } catch (error) {
    if (!statusPage.isOptional || !hasCode(error, 'DFP_LISTEN')) throw error;
    const { port } = statusPage;
    logger.warn({ port }, `there is no status page: port ${port} is taken; choose another one with statusPage.port`);
    return undefined;
  }
}

function portsOf(ports: object): DaemonFacts['ports'] {
  return Object.fromEntries(Object.entries(ports).filter((entry): entry is [string, number] => entry[1] !== undefined));
}
