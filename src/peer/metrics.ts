import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { type Clock, systemClock } from '../core/clock.js';
import { DRAGONFLY_DURATION_BUCKETS_MS, DURATION_BUCKETS_SECONDS } from '../core/duration-buckets.js';
import { NamedFew } from '../core/named-few.js';
import { TrafficType } from '../core/piece.js';
import { MAX_TASK_LABELS, taskSizeLevel } from '../upload/metrics.js';
import { registerDiskMetrics } from './disk-metrics.js';
import type { DownloadObserver } from './download/dependencies.js';
import { OUTPUT_METHODS, type OutputMethod } from './output/place-output.js';

const TRAFFIC_NAMES: Record<TrafficType, string> = {
  [TrafficType.BACK_TO_SOURCE]: 'BACK_TO_SOURCE',
  [TrafficType.REMOTE_PEER]: 'REMOTE_PEER',
  [TrafficType.LOCAL_PEER]: 'LOCAL_PEER',
};

/** Where a client's or a task's bytes come from. */
const SOURCES: Record<TrafficType, string> = {
  [TrafficType.BACK_TO_SOURCE]: 'origin',
  [TrafficType.REMOTE_PEER]: 'parent',
  [TrafficType.LOCAL_PEER]: 'local',
};
/** Hosts named in dfpeer_download_bad_pieces_total; the pieces of further ones count as "other". */
export const MAX_BAD_HOSTS = 200;

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
  readonly #pieceSeconds: Histogram<'source'>;
  readonly #firstPieceSeconds: Histogram<'source'>;
  readonly #badHosts = new NamedFew(MAX_BAD_HOSTS);
  readonly #labelPairs = new NamedFew(MAX_TASK_LABELS);
  readonly #clock: Clock;

  constructor(registry: Registry, options: { dataDirectory: string; version: string; clock?: Clock }) {
    this.#clock = options.clock ?? systemClock;
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
      buckets: DRAGONFLY_DURATION_BUCKETS_MS,
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
    this.#pieceSeconds = new Histogram({
      name: 'dfpeer_download_piece_duration_seconds',
      help: 'Time from asking for a piece to its last byte, by where it came from.',
      labelNames: ['source'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#firstPieceSeconds = new Histogram({
      name: 'dfpeer_download_first_piece_seconds',
      help: "Time from a client's request to its first verified piece, by where that came from.",
      labelNames: ['source'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    for (const type of Object.values(TRAFFIC_NAMES)) this.#traffic.inc({ type }, 0);
    for (const method of OUTPUT_METHODS) this.#outputs.inc({ method }, 0);
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
    registerDiskMetrics(registry, options.dataDirectory);
  }

  pieceStored(trafficType: TrafficType, bytes: number, costMs: number): void {
    this.#traffic.inc({ type: TRAFFIC_NAMES[trafficType] }, bytes);
    this.#pieceSeconds.observe({ source: SOURCES[trafficType] }, costMs / 1000);
  }

  /** A client wanted a piece that this host had already. */
  pieceFoundHere(bytes: number): void {
    this.#traffic.inc({ type: TRAFFIC_NAMES[TrafficType.LOCAL_PEER] }, bytes);
  }

  /** A client has got the first thing it asked for. */
  firstPiece(trafficType: TrafficType, afterMs: number): void {
    this.#firstPieceSeconds.observe({ source: SOURCES[trafficType] }, afterMs / 1000);
  }

  pieceFailed(from: string, code: string): void {
    this.#pieceFailures.inc({ from, code });
  }

  badPiece(parentHostId: string): void {
    this.#badPieces.inc({ host: this.#badHosts.admits(parentHostId) ? parentHostId : 'other' });
  }

  output(method: OutputMethod): void {
    this.#outputs.inc({ method });
  }

  blocked(): void {
    this.#blocked.inc({ type: '0' });
  }

  /** Call the result once: with the task's length on success, with undefined on failure. */
  begin(given: DownloadLabels): (contentLength: number | undefined) => void {
    const labels = this.#bounded(given);
    const startedMs = this.#clock.monotonicMs();
    this.#tasks.inc(labels);
    this.#concurrent.inc(labels);
    return (contentLength) => {
      this.#concurrent.dec(labels);
      if (contentLength === undefined) this.#failures.inc(labels);
      else
        this.#duration.observe(
          { task_type: labels.type, task_size_level: String(taskSizeLevel(contentLength)) },
          this.#clock.monotonicMs() - startedMs,
        );
    };
  }

  /** Tags and applications come from users. */
  #bounded(labels: DownloadLabels): DownloadLabels {
    const isNamed = this.#labelPairs.admits(JSON.stringify([labels.tag, labels.app]));
    return isNamed ? labels : { ...labels, tag: 'other', app: 'other' };
  }
}
