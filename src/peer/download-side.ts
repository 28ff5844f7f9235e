import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import type { Tracer } from '../core/tracing.js';
import type { DaemonSchedulerClient } from '../scheduler-client/index.js';
import { BandwidthLimiter } from '../upload/index.js';
import type { StoredTaskAnnouncer } from './announcer.js';
import type { DaemonSettings } from './daemon-settings.js';
import type { DownloadBudgets } from './download/download-budgets.js';
import { DownloadManager } from './download/download-manager.js';
import type { PieceFetcher } from './fetch/piece-fetcher.js';
import type { OfferPacing } from './swarm/offer-pacing.js';
import type { HostIdentity } from './host-identity.js';
import type { DownloadMetrics } from './metrics.js';
import type { ParentDialer } from './parents/parent-dialer.js';
import type { TaskStore } from './store/task-store.js';
import type { BeginUse } from './use-watch.js';

/** The fetching half. */
export function createDownloadManager(
  { download, maxDownloads }: Pick<DaemonSettings, 'download' | 'maxDownloads'>,
  parts: {
    store: TaskStore;
    identity: HostIdentity;
    scheduler: DaemonSchedulerClient | undefined;
    announcer: StoredTaskAnnouncer;
    metrics: DownloadMetrics;
    parents: ParentDialer;
    fetcher: PieceFetcher;
    tracer: Tracer;
    budgets: DownloadBudgets;
    pacing: OfferPacing;
    makeRoom: (bytes: number) => Promise<boolean>;
    beginUse: BeginUse;
    logger: Logger;
    clock: Clock;
  },
): DownloadManager {
  const { store, identity, scheduler, announcer, metrics, parents, fetcher, tracer, budgets, pacing, clock } = parts;
  const { makeRoom, beginUse } = parts;
  return new DownloadManager(
    {
      store,
      fetcher,
      scheduler,
      parents,
      host: { id: identity.description.id, newPeerId: identity.newPeerId },
      budgets,
      copies: (taskId, number) => pacing.copies(taskId, number),
      makeRoom,
      createBudget: (bytesPerSecond) => new BandwidthLimiter(bytesPerSecond, { clock }),
      ...(scheduler === undefined ? {} : { announceCopy: (task) => announcer.announceSoon(scheduler, task) }),
      observer: metrics,
      settings: download,
      clock,
      random: Math.random,
      logger: parts.logger.child({ module: 'download' }),
    },
    { maxDownloads, tracer, beginUse },
  );
}
