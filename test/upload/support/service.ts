import { Registry } from 'prom-client';
import { SendFileEngine } from '../../../native/index.js';
import { UploadService, type UploadServiceOptions } from '../../../src/upload/index.js';
import type { LiveUpload } from '../../../src/upload/index.js';
import { until } from '../../support/until.js';
import { FilePieceSource } from './file-piece-source.js';

export interface RunningService {
  service: UploadService;
  source: FilePieceSource;
  registry: Registry;
  httpPort: number;
  vortexPort: number;
  /** Sum of a metric's samples that carry these labels. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  /** Resolves when the upload side holds no task any more. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** Both piece servers on loopback ports of the system's choice, over a real engine unless told otherwise. */
export async function startService(options: Partial<UploadServiceOptions> = {}): Promise<RunningService> {
  const engine = options.engine === undefined ? new SendFileEngine({ workers: 1 }) : undefined;
  const source = new FilePieceSource();
  const registry = new Registry();
  const service = new UploadService({
    source,
    registry,
    engine: engine === undefined ? { available: false, reason: 'koffi-missing' } : { available: true, engine },
    ...options,
  });
  const loopback = { ip: '127.0.0.1', port: 0 };
  const { httpPort = 0, vortexPort = 0 } = await service.start({ http: loopback, vortex: loopback });
  return {
    ...{ service, source, registry, httpPort, vortexPort },
    metric: (name, labels = {}) => readMetric(registry, name, labels),
    settled: () => until('every task to be released', () => source.pins === 0),
    stop: async () => {
      await service.close();
      await engine?.close();
      source.dispose();
    },
  };
}

async function readMetric(registry: Registry, name: string, labels: Record<string, string>): Promise<number> {
  const metrics = await registry.getMetricsAsJSON();
  const values = metrics.find((metric) => metric.name === name)?.values ?? [];
  return values
    .filter((sample) => Object.entries(labels).every(([label, value]) => String(sample.labels[label]) === value))
    .reduce((sum, sample) => sum + sample.value, 0);
}

/** The live view's entry once an upload runs. */
export async function firstLive(running: RunningService): Promise<LiveUpload> {
  await until('an upload to run', () => running.service.list().length > 0);
  const [first] = running.service.list();
  if (first === undefined) throw new Error('the upload ended already');
  return first;
}
