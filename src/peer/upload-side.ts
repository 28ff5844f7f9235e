import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import { UploadService, type UploadRates, type OnUpload } from '../upload/index.js';
import type { BandwidthLimits, DaemonSettings } from './daemon-settings.js';
import { NetworkLoadSampler } from './host-load/network-load.js';
import type { Shutdown } from './shutdown.js';
import type { TaskStore } from './store/task-store.js';
import { createUploadEngine } from './upload-engine.js';

/** The serving half: engine, limits and both piece servers, not yet listening. */
export interface UploadSide {
  service: UploadService;
  /** Of the interface that has our address. */
  interfaceBytesPerSecond: number;
  setLimits(limits: BandwidthLimits): void;
}

export async function createUploadSide(
  settings: DaemonSettings,
  parts: {
    store: TaskStore;
    registry: Registry;
    logger: Logger;
    clock: Clock;
    shutdown: Shutdown;
    onUpload?: OnUpload | undefined;
  },
): Promise<UploadSide> {
  const { store, registry, clock, shutdown } = parts;
  const logger = parts.logger.child({ module: 'upload' });
  const engine = createUploadEngine({ workers: settings.upload.engineWorkers, logger });
  if (engine.available) shutdown.add('transfer engine', () => engine.engine.close());
  const line = await lineSpeed(settings);
  const toRates = (limits: BandwidthLimits): UploadRates => ({
    total: limits.upload,
    perTask: limits.uploadPerTask,
    perChildIp: limits.uploadPerChild,
    interface: line,
  });
  const { bounds, limitedRoute, dropBehind } = settings.upload;
  const service = new UploadService({
    source: store,
    engine,
    registry,
    rates: toRates(settings.limits),
    limitedRoute,
    bounds,
    logger,
    clock,
    onUpload: parts.onUpload,
    dropBehind,
  });
  shutdown.add('piece servers', () => service.close());
  return { service, interfaceBytesPerSecond: line, setLimits: (limits) => service.setRates(toRates(limits)) };
}

/** Bytes per second of the interface that has our address: a limit at or above it limits nothing. */
async function lineSpeed({ host }: DaemonSettings): Promise<number> {
  const { maxTxBitsPerSecond } = await new NetworkLoadSampler({ ip: host.ip }).sample();
  return maxTxBitsPerSecond / 8;
}
