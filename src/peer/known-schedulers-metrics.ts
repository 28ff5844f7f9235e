import { Gauge, type Registry } from 'prom-client';
import type { SchedulerClient } from '../scheduler-client/index.js';

/** How the schedulers that this node knows are; read when scraped. Their number is bounded by MAX_SCHEDULERS. */
export function registerKnownSchedulers(registry: Registry, status: SchedulerClient['status']): void {
  const registers = [registry];
  const labelNames = ['scheduler'] as const;
  new Gauge({
    name: 'dfpeer_known_scheduler_up',
    help: 'Whether a scheduler that this node knows answers its health checks: 1 or 0; with no list of them, 0 for each name, file or manager that should lead to one',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { address, healthy } of status()) this.set({ scheduler: address }, healthy ? 1 : 0);
    },
  });
  new Gauge({
    name: 'dfpeer_known_scheduler_announced_timestamp_seconds',
    help: 'When this node last announced itself to a scheduler',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { address, lastAnnouncedAtMs } of status())
        if (lastAnnouncedAtMs !== undefined) this.set({ scheduler: address }, lastAnnouncedAtMs / 1000);
    },
  });
}
