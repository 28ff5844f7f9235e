import type { Registry } from 'prom-client';
import { type Clock, every, systemClock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';
import { Scheduler } from '../grpc/protos.js';
import { startGrpcServer, type GrpcServerLimits } from '../grpc/server.js';
import { DEFAULT_SCHEDULER_TIMINGS, type SchedulerLimits, type SchedulerTimings } from './limits.js';
import { SchedulerCore } from './scheduler-core.js';
import { registerSchedulerMetrics, type SchedulerMetrics } from './scheduler-metrics.js';
import { SchedulerService } from './scheduler-service.js';
import { statusOf, type SchedulerStatus } from './status.js';

/** How long calls may go on after stop(); streams are told at once. */
const STOP_GRACE_MS = 1000;

export interface EmbeddedSchedulerOptions {
  ip: string;
  /** 0 takes a free one. */
  port: number;
  logger: Logger;
  clock?: Clock;
  /** Evenly from [0, 1). */
  random?: () => number;
  /** Without one there are no metrics. */
  registry?: Registry;
  limits?: Partial<SchedulerLimits>;
  timings?: Partial<SchedulerTimings>;
  serverLimits?: Partial<GrpcServerLimits>;
}

export interface EmbeddedScheduler {
  /** `ip:port` */
  readonly address: string;
  readonly port: number;
  status(): SchedulerStatus;
  /** Ends all streams and closes. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Serves scheduler.v2.Scheduler, health and reflection, for a handful to a few dozen nodes; larger clusters run Dragonfly's own.
 * @throws DfpeerError DFP_LISTEN when the address can't be bound.
 */
export async function startEmbeddedScheduler(options: EmbeddedSchedulerOptions): Promise<EmbeddedScheduler> {
  const { ip, port, clock = systemClock, random = Math.random, registry, limits = {}, timings = {}, logger } = options;
  const core = new SchedulerCore({ limits, timings, clock, random, logger });
  const status = (): SchedulerStatus => statusOf(core, service.streamCount);
  let metrics: SchedulerMetrics | undefined;
  const service = new SchedulerService({ core, logger, clock, onDecision: (kind) => metrics?.decided(kind) });
  const server = await startGrpcServer({
    listen: { ip, port },
    services: [{ name: 'scheduler.v2.Scheduler', definition: Scheduler.service, implementation: service.handlers }],
    ...(options.serverLimits === undefined ? {} : { limits: options.serverLimits }),
    logger,
    onRefused: () => metrics?.refused(),
  });
  // Only now: where the port is taken the caller tries another, with the same registry.
  if (registry !== undefined) metrics = registerSchedulerMetrics(registry, status);
  const gcIntervalMs = timings.gcIntervalMs ?? DEFAULT_SCHEDULER_TIMINGS.gcIntervalMs;
  let collectedAtMs = clock.monotonicMs();
  const stopGc = every(clock, gcIntervalMs, () => {
    const nowMs = clock.monotonicMs();
    service.collectGarbage(nowMs - collectedAtMs - gcIntervalMs);
    collectedAtMs = nowMs;
  });
  logger.info({ address: server.address }, 'embedded scheduler listens');
  return {
    address: server.address,
    port: server.port,
    status,
    async stop() {
      stopGc();
      service.stop();
      await server.stop(STOP_GRACE_MS);
    },
  };
}
