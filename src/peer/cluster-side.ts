import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.js';
import { formatHostPort } from '../core/host-port.js';
import type { Logger } from '../core/logger.js';
import {
  createSchedulerClient,
  type DaemonSchedulerClient,
  type SchedulerSourceConfig,
} from '../scheduler-client/index.js';
import type { UploadService } from '../upload/index.js';
import { StoredTaskAnnouncer } from './announcer.js';
import type { BandwidthLimits, DaemonSettings } from './daemon-settings.js';
import { describeHost, type HostIdentity } from './host-identity.js';
import { HostLoadSampler } from './host-load/host-load.js';
import { registerKnownSchedulers } from './known-schedulers-metrics.js';
import type { Shutdown } from './shutdown.js';
import { startScheduling } from './start-scheduling.js';
import type { TaskStore } from './store/task-store.js';

/** Who this host is in its cluster, and what the schedulers are told of it. */
export interface ClusterSide {
  identity: HostIdentity;
  load: HostLoadSampler;
  announcer: StoredTaskAnnouncer;
  /** Undefined: this host works alone. */
  scheduler: DaemonSchedulerClient | undefined;
}

/** Nobody is told anything before {@link joinCluster}. */
export function createClusterSide(
  settings: DaemonSettings,
  parts: {
    store: TaskStore;
    uploads: UploadService;
    limits: () => BandwidthLimits;
    /** Undefined: none runs here. */
    embeddedSchedulerPort: number | undefined;
    registry: Registry;
    logger: Logger;
    clock: Clock;
  },
): ClusterSide {
  const { store, uploads, limits, registry, logger, clock } = parts;
  const identity = describeHost(settings);
  const load = new HostLoadSampler({
    ip: settings.host.ip,
    dataDirectory: settings.storeDirectory,
    uploadLimit: () => limits().upload,
    downloadLimit: () => limits().download,
    uploadConnections: () => uploads.list().length,
    clock,
  });
  const { concurrentPieceCount } = settings.download;
  const announcer = new StoredTaskAnnouncer({ store, newPeerId: identity.newPeerId, concurrentPieceCount, logger });
  // One that others use may run here beside the one that we are told to use.
  const source = settings.schedulers ?? embeddedSource(settings, parts.embeddedSchedulerPort);
  const scheduler = source && createClient(settings, { identity, load, announcer, source, logger, clock });
  registerKnownSchedulers(registry, () => scheduler?.status() ?? []);
  return { identity, load, announcer, scheduler };
}

/** Tells the schedulers of this host, and of what it has; at the stop, that it leaves. @throws DfpeerError DFP_CONFIG */
export async function joinCluster(
  { scheduler, announcer }: ClusterSide,
  { shutdown, logger, clock }: { shutdown: Shutdown; logger: Logger; clock: Clock },
): Promise<void> {
  if (scheduler === undefined) return;
  shutdown.add('announcements', () => announcer.stop());
  shutdown.add('the scheduler client', () => scheduler.stop());
  await startScheduling(scheduler, { logger, clock, onJoined: () => announcer.announceAll(scheduler) });
}

function createClient(
  { schedulers, schedulerClient, version }: DaemonSettings,
  parts: Pick<ClusterSide, 'identity' | 'load' | 'announcer'> & {
    source: SchedulerSourceConfig;
    logger: Logger;
    clock: Clock;
  },
): DaemonSchedulerClient {
  const client = createSchedulerClient({
    host: parts.identity.description,
    load: () => parts.load.sample(),
    source: parts.source,
    build: { version },
    announceIntervalMs: schedulerClient.announceIntervalMs,
    scheduleTimeoutMs: schedulerClient.scheduleTimeoutMs,
    refreshIntervalMs: schedulerClient.refreshIntervalMs,
    tls: schedulers === undefined ? undefined : schedulerClient.tls,
    logger: parts.logger.child({ module: 'scheduler-client' }),
    clock: parts.clock,
    onSchedulerJoined: () => parts.announcer.announceAll(client),
  });
  return client;
}

function embeddedSource(
  { embeddedScheduler }: DaemonSettings,
  port: number | undefined,
): SchedulerSourceConfig | undefined {
  if (embeddedScheduler === undefined || port === undefined) return undefined;
  return { kind: 'static', addrs: [formatHostPort(ownIp(embeddedScheduler.ip), port)] };
}

/** Where to find on this host what listens there on `listenIp`. */
function ownIp(listenIp: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[listenIp] ?? listenIp;
}
