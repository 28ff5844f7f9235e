import type { SchedulerSourceConfig } from '../scheduler-client/index.js';
import type { TlsFiles } from '../grpc/credentials.js';
import type { ListenAddress, UploadBounds } from '../upload/index.js';
import type { SocketAccess } from './unix-socket.js';
import type { DownloadSettings } from './download/download-request.js';
import type { GcSettings } from './gc/collector.js';
import type { TracingSettings } from './tracing/open-tracing.js';

export type { ListenAddress };

/** Everything a daemon needs to know, in plain numbers. The configuration file and the flags are translated into this. */
export interface DaemonSettings {
  version: string;
  /** What the configuration gave rise to: for the log, and for operators. */
  warnings: readonly string[];
  host: {
    hostname: string;
    ip: string;
    idc: string | undefined;
    location: string | undefined;
    schedulerClusterId: number;
    name: string;
  };
  /** Tasks are kept below this directory. */
  storeDirectory: string;
  socketPath: string;
  socketAccess: SocketAccess;
  /** Calls of local clients. */
  socketRequestsPerSecond: number;
  grpc: ListenAddress & { tls: TlsFiles | undefined; requestsPerSecond: number };
  http: ListenAddress;
  vortex: ListenAddress;
  metrics: ListenAddress;
  health: ListenAddress;
  /** Undefined: none is served. Without one that is optional the daemon starts as well, with a warning. */
  statusPage: (ListenAddress & { isOptional: boolean }) | undefined;
  /** A port that is taken is replaced by one that is free: for daemons that dfget started. */
  fallBackToFreePorts: boolean;
  /** Undefined: without schedulers. */
  schedulers: SchedulerSourceConfig | undefined;
  /** Undefined: none is started here. When it is, this host uses it. */
  embeddedScheduler: ListenAddress | undefined;
  schedulerClient: {
    announceIntervalMs: number;
    scheduleTimeoutMs: number;
    refreshIntervalMs: number;
    tls: TlsFiles | undefined;
  };
  /** What we show to and demand of other peers' upload services; undefined: plain text. */
  parentTls: TlsFiles | undefined;
  isSeed: boolean;
  disableShared: boolean;
  limits: BandwidthLimits;
  upload: {
    limitedRoute: 'copy' | 'paced';
    engineWorkers: number;
    dropBehind: boolean;
    bounds: Partial<UploadBounds>;
  };
  download: DownloadSettings;
  /** Tasks downloaded at once. */
  maxDownloads: number;
  /** CIDRs that requests from the network may have us fetch from, although they are private. */
  originAllowList: readonly string[];
  /** PEM file of authorities whose origins are believed too; undefined: none beside the system's. */
  originCaCert: string | undefined;
  gc: GcSettings;
  /** Undefined: no traces. */
  tracing: TracingSettings | undefined;
  /** Exit after so long without a client, an upload or a download. */
  aliveTimeMs: number | undefined;
  /** Running uploads and downloads get this long at shutdown. */
  drainTimeoutMs: number;
}

/** Bytes per second; undefined is unlimited. The part of the settings that SIGHUP and operators change at run time. */
export interface BandwidthLimits {
  upload: number | undefined;
  uploadPerTask: number | undefined;
  uploadPerChild: number | undefined;
  download: number | undefined;
  backToSource: number | undefined;
}
