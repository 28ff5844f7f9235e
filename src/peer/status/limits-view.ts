import type { DaemonSettings } from '../daemon-settings.js';
import { LIMIT_NAMES, type LimitName, type LimitOrigin, type LimitsInForce } from '../limits-in-force.js';
import { DEFAULT_UPLOAD_BOUNDS, effectiveLimit } from '../../upload/index.js';

export interface LimitView {
  name: LimitName;
  /** Absent: none is set. */
  bytesPerSecond?: number;
  setBy: LimitOrigin;
  /** False when nothing is set, or more than the interface can carry. */
  binds: boolean;
}

export interface LimitsView {
  limits: LimitView[];
  limitedRoute: string;
  interfaceBytesPerSecond: number;
  /** By configuration key. */
  caps: { name: string; value: number }[];
}

export interface LimitsViewInputs {
  limits: LimitsInForce;
  limitedRoute: string;
  interfaceBytesPerSecond: number;
  settings: Pick<DaemonSettings, 'upload' | 'maxDownloads' | 'download'>;
}

export function viewLimits({ limits, limitedRoute, interfaceBytesPerSecond, settings }: LimitsViewInputs): LimitsView {
  return {
    limits: LIMIT_NAMES.map((name) => {
      const limit = limits.current[name];
      return {
        name,
        ...(limit === undefined ? {} : { bytesPerSecond: limit }),
        setBy: limits.originOf(name),
        binds: effectiveLimit(limit, interfaceBytesPerSecond) !== undefined,
      };
    }),
    limitedRoute,
    interfaceBytesPerSecond,
    caps: capsOf(settings),
  };
}

function capsOf({ upload, maxDownloads, download }: LimitsViewInputs['settings']): LimitsView['caps'] {
  const bounds = { ...DEFAULT_UPLOAD_BOUNDS, ...upload.bounds };
  return [
    { name: 'upload.maxConcurrentTransfers', value: bounds.maxConcurrentTransfers },
    { name: 'upload.maxConcurrentTransfersPerIP', value: bounds.maxConcurrentTransfersPerIp },
    { name: 'upload.queueLength', value: bounds.maxQueuedTransfers },
    { name: 'upload.maxConnections', value: bounds.maxConnections },
    { name: 'upload.maxConnectionsPerIP', value: bounds.maxConnectionsPerIp },
    { name: 'download.maxConcurrentTasks', value: maxDownloads },
    { name: 'download.concurrentPieceCount', value: download.concurrentPieceCount },
  ];
}
