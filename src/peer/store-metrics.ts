import { Counter, type Registry } from 'prom-client';
import { scrapedGauge } from '../core/scraped-gauge.js';
import { COLLECTION_REASONS, type CollectionReason } from './gc/policy.js';

/** What the store holds; read when scraped. */
export interface StoreLevels {
  tasks: () => number;
  bytes: () => number;
}

/** The store's metrics. Returns what the collector tells of each task that it removed. */
export function registerStoreMetrics(
  registry: Registry,
  levels: StoreLevels,
): (reason: CollectionReason, bytes: number) => void {
  const registers = [registry];
  scrapedGauge(registry, 'dfpeer_store_tasks', 'Tasks in the store, complete or not', levels.tasks);
  scrapedGauge(registry, 'dfpeer_store_bytes', 'Bytes of verified pieces in the store', levels.bytes);
  const labelNames = ['reason'] as const;
  const tasks = new Counter({
    name: 'dfpeer_gc_removed_tasks_total',
    help: 'Tasks that the collector removed: unused for too long (expired), beyond the quota (disk), one of too many (count), or in the way of a download that filled the disk (room)',
    labelNames,
    registers,
  });
  const bytes = new Counter({
    name: 'dfpeer_gc_removed_bytes_total',
    help: 'Bytes of the tasks that the collector removed',
    labelNames,
    registers,
  });
  for (const reason of COLLECTION_REASONS) {
    tasks.inc({ reason }, 0);
    bytes.inc({ reason }, 0);
  }
  return (reason, removedBytes) => {
    tasks.inc({ reason });
    bytes.inc({ reason }, removedBytes);
  };
}
