import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { Tracer } from '../core/tracing.js';
import { loadChannelCredentials } from '../grpc/credentials.js';
import { BandwidthLimiter } from '../bandwidth/bandwidth-limiter.js';
import type { ClusterSide } from './cluster-side.js';
import type { BandwidthLimits, DaemonSettings } from './daemon-settings.js';
import { DownloadLimits } from './download-limits.js';
import type { DownloadDependencies } from './download/dependencies.js';
import { DownloadManager } from './download/download-manager.js';
import { authorityFiles } from './fetch/origin/authority-files.js';
import { checkCertificateFile } from './fetch/origin/certificate-file.js';
import { proxyVariables } from './fetch/origin/proxy-choice.js';
import { ThreadedPieceFetcher } from './fetch/threaded-piece-fetcher.js';
import { DownloadMetrics } from './metrics.js';
import { GrpcParentDialer } from './parents/grpc-parent-dialer.js';
import type { Shutdown } from './shutdown.js';
import type { DaemonWatch } from './status/daemon-watch.js';
import type { WatchedFetcher } from './status/watched-fetcher.js';
import type { TaskStore } from './store/task-store.js';
import type { BeginUse } from './use-watch.js';

/** The fetching half. */
export interface DownloadSide {
  manager: DownloadManager;
  metrics: DownloadMetrics;
  fetcher: WatchedFetcher;
  setLimits(limits: BandwidthLimits): void;
}

export interface DownloadSideParts extends Pick<DownloadDependencies, 'copies' | 'hasChildren' | 'makeRoom'> {
  store: TaskStore;
  cluster: ClusterSide;
  limits: BandwidthLimits;
  interfaceBytesPerSecond: number;
  watch: DaemonWatch;
  beginUse: BeginUse;
  tracer: Tracer;
  registry: Registry;
  shutdown: Shutdown;
  logger: Logger;
  clock: Clock;
}

/** @throws DfpeerError DFP_CONFIG for certificates that can't be read */
export async function createDownloadSide(settings: DaemonSettings, parts: DownloadSideParts): Promise<DownloadSide> {
  const { store, cluster, tracer, beginUse, shutdown, clock } = parts;
  const { identity, scheduler, announcer } = cluster;
  const { storeDirectory, version } = settings;
  const metrics = new DownloadMetrics(parts.registry, { dataDirectory: storeDirectory, version, clock });
  const parents = new GrpcParentDialer({
    hostId: identity.description.id,
    credentials: await loadChannelCredentials(settings.parentTls),
    clock,
  });
  shutdown.add('parents', async () => parents.close());
  const fetcher = parts.watch.watchFetcher(startFetcher(settings, parts));
  const { interfaceBytesPerSecond } = parts;
  const budgets = new DownloadLimits(parts.limits, { interfaceBytesPerSecond, clock });
  shutdown.add('download limits', async () => budgets.close());
  const manager = new DownloadManager(
    {
      store,
      fetcher,
      scheduler,
      parents,
      host: {
        id: identity.description.id,
        newPeerId: identity.newPeerId,
        isAt: ({ ip, port }) => ip === identity.description.ip && port === identity.description.port,
      },
      budgets,
      copies: parts.copies,
      hasChildren: parts.hasChildren,
      makeRoom: parts.makeRoom,
      createBudget: (bytesPerSecond) => new BandwidthLimiter(bytesPerSecond, { clock }),
      ...(scheduler === undefined ? {} : { announceCopy: (task) => announcer.announceSoon(scheduler, task) }),
      observer: metrics,
      settings: settings.download,
      clock,
      random: Math.random,
      logger: parts.logger.child({ module: 'download' }),
    },
    { maxDownloads: settings.maxDownloads, tracer, beginUse },
  );
  return { manager, metrics, fetcher, setLimits: (limits) => budgets.set(limits) };
}

function startFetcher(
  { originAllowList, originCaCert }: DaemonSettings,
  { shutdown, logger, clock }: Pick<DownloadSideParts, 'shutdown' | 'logger' | 'clock'>,
): ThreadedPieceFetcher {
  if (originCaCert !== undefined) checkCertificateFile('backend.caCert', originCaCert);
  const log = logger.child({ module: 'fetch' });
  const fetcher = new ThreadedPieceFetcher({
    allowedNetworks: originAllowList,
    authorities: authorityFiles(process.env, originCaCert),
    environment: proxyVariables(process.env),
    onTrouble: (message) => log.warn({}, message),
    clock,
  });
  fetcher.warmUp();
  shutdown.add('the fetch workers', () => fetcher.close());
  return fetcher;
}
