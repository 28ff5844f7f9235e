import type { DaemonConfig, SchedulersFrom } from '../config/daemon-config.js';
import { storeDirectoryIn } from '../config/places.js';
import { formatHostPort, parseHostPort } from '../core/host-port.js';
import type { TlsFiles } from '../grpc/credentials.js';
import type { BandwidthLimits, DaemonSettings } from '../peer/daemon-settings.js';
import { ORIGIN_TIMEOUT_MS } from '../peer/download/download-request.js';
import type { GcSettings } from '../peer/gc/collector.js';
import type { SchedulerSourceConfig } from '../scheduler-client/index.js';

/** Uploads and downloads that run at SIGTERM get this long. */
export const DRAIN_TIMEOUT_MS = 30_000;

/** Unless configured; a daemon that finds it taken does without a status page. */
export const DEFAULT_STATUS_PORT = 4008;

/** From the keys of the configuration to what the daemon works with. */
export function toSettings(config: DaemonConfig, version: string): DaemonSettings {
  const { host, download, upload, storage, scheduler, manager, backend, statusPage } = config;
  return {
    version,
    warnings: config.warnings,
    host: {
      hostname: host.hostname,
      ip: host.ip,
      idc: host.idc,
      location: host.location,
      schedulerClusterId: host.schedulerClusterID,
      name: announcedName(host.hostname),
    },
    // A directory of our own: the configured one may hold what Dragonfly's client has stored.
    storeDirectory: storeDirectoryIn(storage.dir),
    socketPath: download.server.socketPath,
    socketAccess: { mode: Number.parseInt(download.server.socketMode, 8), group: download.server.socketGroup },
    socketRequestsPerSecond: download.server.requestRateLimit,
    grpc: {
      ip: upload.server.ip,
      port: upload.server.port,
      tls: tlsFiles(upload.server),
      requestsPerSecond: upload.server.requestRateLimit,
    },
    http: { ip: storage.server.ip, port: storage.server.httpPort },
    vortex: { ip: storage.server.ip, port: storage.server.tcpPort },
    metrics: { ip: config.metrics.server.ip, port: config.metrics.server.port },
    health: { ip: config.health.server.ip, port: config.health.server.port },
    statusPage: statusPage.enable
      ? { ip: statusPage.ip, port: statusPage.port ?? DEFAULT_STATUS_PORT, isOptional: statusPage.port === undefined }
      : undefined,
    fallBackToFreePorts: config.isLoopbackOnly,
    schedulers: toSource(scheduler.from, manager),
    embeddedScheduler: scheduler.embedded.enable
      ? { ip: scheduler.embedded.ip, port: scheduler.embedded.port }
      : undefined,
    schedulerClient: {
      announceIntervalMs: scheduler.announceIntervalMs,
      scheduleTimeoutMs: scheduler.scheduleTimeoutMs,
      refreshIntervalMs: config.dynconfig.refreshIntervalMs,
      tls: tlsFiles(scheduler),
    },
    parentTls: tlsFiles(upload.client),
    isSeed: config.seedPeer.enable,
    disableShared: upload.disableShared,
    limits: toLimits(config),
    upload: {
      limitedRoute: upload.limitedRoute,
      engineWorkers: upload.engineWorkers,
      dropBehind: upload.dropBehind,
      bounds: {
        maxConcurrentTransfers: upload.maxConcurrentTransfers,
        maxConcurrentTransfersPerIp: upload.maxConcurrentTransfersPerIP,
        maxQueuedTransfers: upload.queueLength,
        queueTimeoutMs: upload.queueTimeoutMs,
        maxConnections: upload.maxConnections,
        maxConnectionsPerIp: upload.maxConnectionsPerIP,
        headersTimeoutMs: upload.headerTimeoutMs,
        keepAliveTimeoutMs: upload.idleTimeoutMs,
        noProgressTimeoutMs: upload.minProgressTimeoutMs,
        minProgressBytes: upload.minProgressSizeBytes,
        availabilityTimeoutMs: upload.waitForPieceTimeoutMs,
      },
    },
    download: {
      concurrentPieceCount: download.concurrentPieceCount,
      pieceTimeoutMs: download.pieceTimeoutMs,
      idleTimeoutMs: download.idleTimeoutMs,
      collectedPieceTimeoutMs: download.collectedPieceTimeoutMs,
      maxScheduleCount: scheduler.maxScheduleCount,
      originTimeoutMs: ORIGIN_TIMEOUT_MS,
      smallTaskBytes: download.smallTaskSizeBytes,
      maxOriginAttempts: backend.maxRetries + 1,
      originRequestHeader: backend.requestHeader ?? {},
    },
    maxDownloads: download.maxConcurrentTasks,
    originAllowList: download.originAllowList,
    originCaCert: backend.caCert,
    gc: toGcSettings(config),
    tracing: tracingSettings(config.tracing),
    aliveTimeMs: download.aliveTimeMs,
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
  };
}

/** What SIGHUP can change. */
export function toLimits({ upload, download }: Pick<DaemonConfig, 'upload' | 'download'>): BandwidthLimits {
  return {
    upload: upload.bandwidthLimitBytesPerSecond,
    uploadPerTask: upload.perTaskBandwidthLimitBytesPerSecond,
    uploadPerChild: upload.perChildBandwidthLimitBytesPerSecond,
    download: download.bandwidthLimitBytesPerSecond,
    backToSource: download.backToSourceBandwidthLimitBytesPerSecond,
  };
}

/** What SIGHUP can change as well. */
export function toGcSettings({ gc }: Pick<DaemonConfig, 'gc'>): GcSettings {
  const { policy } = gc;
  return {
    intervalMs: gc.intervalMs,
    taskTtlMs: policy.taskTTLMs,
    thresholdBytes: policy.diskThresholdBytes,
    highPercent: policy.diskHighThresholdPercent,
    lowPercent: policy.diskLowThresholdPercent,
  };
}

function toSource(from: SchedulersFrom, manager: TlsFiles): SchedulerSourceConfig | undefined {
  switch (from.kind) {
    case 'static':
      return { kind: 'static', addrs: from.addrs };
    case 'dynconfig':
      return { kind: 'dynconfig', file: from.file };
    case 'manager':
      return { kind: 'manager', addr: from.addr, tls: tlsFiles(manager) };
    case 'embedded':
    case 'none':
      return undefined;
  }
}

function tlsFiles({ caCert, cert, key }: TlsFiles): TlsFiles | undefined {
  return caCert === undefined && cert === undefined ? undefined : { caCert, cert, key };
}

function tracingSettings({ protocol, endpoint, path, headers }: DaemonConfig['tracing']): DaemonSettings['tracing'] {
  if (endpoint === undefined || (protocol !== 'http' && protocol !== 'https')) return undefined;
  const { host, port } = parseHostPort(endpoint, 'tracing.endpoint');
  return { url: `${protocol}://${formatHostPort(host, port)}${path}`, headers: headers ?? {} };
}

/** As Dragonfly's client names itself. */
function announcedName(hostname: string): string {
  const { POD_NAME, POD_NAMESPACE } = process.env;
  return POD_NAME !== undefined && POD_NAMESPACE !== undefined ? `${POD_NAMESPACE}-${POD_NAME}` : hostname;
}
