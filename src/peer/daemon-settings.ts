import type { SchedulerSourceConfig } from '../scheduler-client/index.js';
import type { TlsFiles } from '../grpc/credentials.js';
import type { UploadBounds } from '../upload/index.js';
import type { DownloadSettings } from './download/download-request.js';

/** Where a server listens. Port 0 lets the system choose. */
export interface ListenAddress {
  ip: string;
  port: number;
}

/** Everything a daemon needs to know, in plain numbers. The configuration file and the flags are translated into this. */
export interface DaemonSettings {
  version: string;
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
  /** Calls of local clients. */
  socketRequestsPerSecond: number;
  grpc: ListenAddress & { tls: TlsFiles | undefined; requestsPerSecond: number };
  http: ListenAddress;
  vortex: ListenAddress;
  metrics: ListenAddress;
  health: ListenAddress;
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
    bounds: Partial<UploadBounds>;
  };
  download: DownloadSettings;
  /** Tasks downloaded at once. */
  maxDownloads: number;
  /** CIDRs that requests from the network may have us fetch from, although they are private. */
  originAllowList: readonly string[];
  gc: { intervalMs: number; taskTtlMs: number; thresholdBytes: number; highPercent: number; lowPercent: number };
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
