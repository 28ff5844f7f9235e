import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { statfs } from 'node:fs/promises';
import { TrafficType } from '../core/piece.js';
import { taskSizeLevel } from '../upload/metrics.js';
import type { DownloadObserver } from './download/dependencies.js';
import type { OutputMethod } from './output/output-file.js';

const TRAFFIC_NAMES: Record<TrafficType, string> = {
  [TrafficType.BACK_TO_SOURCE]: 'BACK_TO_SOURCE',
  [TrafficType.REMOTE_PEER]: 'REMOTE_PEER',
  [TrafficType.LOCAL_PEER]: 'LOCAL_PEER',
};

/** 1 ms × 2^n, as Dragonfly's client has them. */
const DURATION_BUCKETS_MS = Array.from({ length: 24 }, (_, exponent) => 2 ** exponent);

/** What is counted of one client's download. */
export interface DownloadLabels {
  type: string;
  tag: string;
  app: string;
  priority: string;
}

/** Download side of the metrics: Dragonfly's names and labels, and ours with the prefix dfpeer_. */
export class DownloadMetrics implements DownloadObserver {
  readonly #traffic: Counter<'type'>;
  readonly #tasks: Counter<keyof DownloadLabels>;
  readonly #failures: Counter<keyof DownloadLabels>;
  readonly #concurrent: Gauge<keyof DownloadLabels>;
  readonly #duration: Histogram<'task_type' | 'task_size_level'>;
  readonly #blocked: Counter<'type'>;
  readonly #pieceFailures: Counter<'from' | 'code'>;
  readonly #badPieces: Counter<'host'>;
  readonly #outputs: Counter<'method'>;

  constructor(registry: Registry, options: { dataDirectory: string; version: string }) {
    const registers = [registry];
    const labelNames = ['type', 'tag', 'app', 'priority'] as const;
    this.#traffic = new Counter({
      name: 'dragonfly_client_download_traffic',
      help: 'Bytes downloaded, by where they came from.',
      labelNames: ['type'],
      registers,
    });
    this.#tasks = new Counter({
      name: 'dragonfly_client_download_task_total',
      help: 'Downloads that clients asked for.',
      labelNames,
      registers,
    });
    this.#failures = new Counter({
      name: 'dragonfly_client_download_task_failure_total',
      help: 'Downloads that failed.',
      labelNames,
      registers,
    });
    this.#concurrent = new Gauge({
      name: 'dragonfly_client_concurrent_download_task_total',
      help: 'Downloads under way.',
      labelNames,
      registers,
    });
    this.#duration = new Histogram({
      name: 'dragonfly_client_download_task_duration_milliseconds',
      help: 'Time of successful downloads.',
      labelNames: ['task_type', 'task_size_level'],
      buckets: DURATION_BUCKETS_MS,
      registers,
    });
    this.#blocked = new Counter({
      name: 'dragonfly_client_download_task_blocked_total',
      help: 'Downloads refused by the block list.',
      labelNames: ['type'],
      registers,
    });
    this.#pieceFailures = new Counter({
      name: 'dfpeer_download_piece_failures_total',
      help: 'Attempts at a piece that failed, by source and error code.',
      labelNames: ['from', 'code'],
      registers,
    });
    this.#badPieces = new Counter({
      name: 'dfpeer_download_bad_pieces_total',
      help: 'Pieces that were not what the parent said, by its host.',
      labelNames: ['host'],
      registers,
    });
    this.#outputs = new Counter({
      name: 'dfpeer_output_files_total',
      help: 'Output files, by how they were made.',
      labelNames: ['method'],
      registers,
    });
    for (const type of Object.values(TRAFFIC_NAMES)) this.#traffic.inc({ type }, 0);
    const version = new Gauge({
      name: 'dragonfly_client_version',
      help: 'Version of this program; the value is always 1.',
      labelNames: ['git_version', 'git_commit', 'platform', 'build_time'],
      registers,
    });
    version.set(
      { git_version: options.version, git_commit: '', platform: `${process.platform}/${process.arch}`, build_time: '' },
      1,
    );
    registerDiskGauges(registers, options.dataDirectory);
  }

  pieceStored(trafficType: TrafficType, bytes: number): void {
    this.#traffic.inc({ type: TRAFFIC_NAMES[trafficType] }, bytes);
  }

  pieceFailed(from: string, code: string): void {
    this.#pieceFailures.inc({ from, code });
  }

  badPiece(parentHostId: string): void {
    this.#badPieces.inc({ host: parentHostId });
  }

  output(method: OutputMethod): void {
    this.#outputs.inc({ method });
  }

  blocked(): void {
    this.#blocked.inc({ type: '0' });
  }

  /** Call the result once: with the task's length on success, with undefined on failure. */
  begin(labels: DownloadLabels): (contentLength: number | undefined) => void {
    const startedMs = performance.now();
    this.#tasks.inc(labels);
    this.#concurrent.inc(labels);
    return (contentLength) => {
      this.#concurrent.dec(labels);
      if (contentLength === undefined) this.#failures.inc(labels);
      else
        this.#duration.observe(
          { task_type: labels.type, task_size_level: String(taskSizeLevel(contentLength)) },
          performance.now() - startedMs,
        );
    };
  }
}

function registerDiskGauges(registers: Registry[], directory: string): void {
  new Gauge({
    name: 'dragonfly_client_disk_space_total',
    help: 'Bytes of the file system that holds the store.',
    registers,
    async collect() {
      const { blocks, bsize } = await statfs(directory);
      this.set(blocks * bsize);
    },
  });
  new Gauge({
    name: 'dragonfly_client_disk_usage_space_total',
    help: 'Bytes in use on the file system that holds the store.',
    registers,
    async collect() {
      const { blocks, bfree, bsize } = await statfs(directory);
      this.set((blocks - bfree) * bsize);
    },
  });
}
