import { Registry } from 'prom-client';
import { registerKnownSchedulers } from '../peer/known-schedulers-metrics.js';
import { DownloadMetrics } from '../peer/metrics.js';
import { registerStoreMetrics } from '../peer/store-metrics.js';
import { registerSchedulerMetrics } from '../scheduler/scheduler-metrics.js';
import type { SchedulerStatus } from '../scheduler/status.js';
import { registerUploadLevels, UploadMetrics } from '../upload/metrics.js';
import { code, renderTable } from './markdown.js';

/** What a metric is, without its samples. */
export interface DescribedMetric {
  name: string;
  type: string;
  help: string;
  labels: readonly string[];
}

const NOTHING_KNOWN: SchedulerStatus = { hosts: 0, tasks: 0, peers: {}, streams: 0, waiting: 0 };
const SECTIONS = [
  { title: 'Uploads', belongs: (name: string) => name.includes('upload') },
  { title: 'The embedded scheduler', belongs: (name: string) => name.startsWith('dfpeer_scheduler_') },
  { title: 'Downloads and the node', belongs: () => true },
];

/** Every metric of ours that a daemon with an embedded scheduler registers. */
export function describeMetrics(): DescribedMetric[] {
  const registry = new Registry();
  new UploadMetrics(registry);
  registerUploadLevels(registry, {
    queuedTransfers: () => 0,
    waitingForPiece: () => 0,
    waitingForBandwidth: () => 0,
    connections: () => 0,
    limitBytesPerSecond: () => undefined,
    limiterSpentBytes: () => 0,
  });
  new DownloadMetrics(registry, { dataDirectory: '/', version: '' });
  registerStoreMetrics(registry, { tasks: () => 0, bytes: () => 0 });
  registerKnownSchedulers(registry, () => []);
  registerSchedulerMetrics(registry, () => NOTHING_KNOWN);
  return registry
    .getMetricsAsArray()
    .map((metric) => ({ ...metric, type: String(metric.type), labels: labelsOf(metric) }));
}

/** One table a section, sorted by name. */
export function renderMetrics(): string {
  const left = new Set(describeMetrics().sort((a, b) => a.name.localeCompare(b.name)));
  return SECTIONS.map(({ title, belongs }) => {
    const own = [...left].filter(({ name }) => belongs(name));
    for (const metric of own) left.delete(metric);
    const rows = own.map(({ name, type, labels, help }) => [
      code(name),
      type,
      labels.map(code).join(', '),
      help.replace(/\.$/, ''),
    ]);
    return `## ${title}\n\n${renderTable(['Name', 'Type', 'Labels', 'Meaning'], rows)}`;
  }).join('\n\n');
}

/** prom-client keeps them, its types don't tell. */
function labelsOf(metric: object): readonly string[] {
  const names: unknown = 'labelNames' in metric ? metric.labelNames : [];
  return Array.isArray(names) ? names.map(String) : [];
}
