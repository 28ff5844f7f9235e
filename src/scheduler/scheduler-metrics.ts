import { Counter, Gauge, type Registry } from 'prom-client';
import { scrapedGauge } from '../core/scraped-gauge.js';
import type { ScheduleDecision } from './scheduler-core.js';
import type { SchedulerStatus } from './status.js';

export interface SchedulerMetrics {
  decided(kind: ScheduleDecision['kind']): void;
  refused(): void;
}

/** The embedded scheduler's metrics; gauges are read when scraped. */
export function registerSchedulerMetrics(registry: Registry, status: () => SchedulerStatus): SchedulerMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (now: SchedulerStatus) => number): void =>
    scrapedGauge(registry, name, help, () => read(status()));
  gauge('dfpeer_scheduler_hosts', 'Hosts known to the embedded scheduler', (now) => now.hosts);
  gauge('dfpeer_scheduler_tasks', 'Tasks known to the embedded scheduler', (now) => now.tasks);
  gauge('dfpeer_scheduler_streams', 'AnnouncePeer streams open at the embedded scheduler', (now) => now.streams);
  gauge('dfpeer_scheduler_waiting_peers', 'Peers waiting for their first parent', (now) => now.waiting);
  new Gauge({
    name: 'dfpeer_scheduler_peers',
    help: 'Peers known to the embedded scheduler, by state',
    labelNames: ['state'] as const,
    registers,
    collect() {
      this.reset();
      for (const [state, count] of Object.entries(status().peers)) this.set({ state }, count);
    },
  });
  const decisions = new Counter({
    name: 'dfpeer_scheduler_decisions_total',
    help: 'Answers of the embedded scheduler to registrations and reschedules',
    labelNames: ['decision'] as const,
    registers,
  });
  const refusals = new Counter({
    name: 'dfpeer_scheduler_refused_requests_total',
    help: 'Calls that the embedded scheduler refused because of its request rate limit',
    registers,
  });
  return { decided: (decision) => decisions.inc({ decision }), refused: () => refusals.inc() };
}
