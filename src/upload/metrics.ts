import { Counter, type Registry } from 'prom-client';
import { DRAGONFLY_DURATION_BUCKETS_MS, DURATION_BUCKETS_SECONDS } from '../core/duration-buckets.js';
import { NamedFew } from '../core/named-few.js';
import { scrapedGauge } from '../core/scraped-gauge.js';
import type { ServedTask } from './piece-source.js';
import type { Route, RouteChoice, RouteReason } from './route.js';
import { type Distribution, type Tally, TallyCounter, TallyGauge, TallyHistogram } from './tallies.js';
import type { UploadOutcome, UploadProtocol, UploadResult } from './transfer/upload.js';

/** Why a request got no bytes: label `cause` of dfpeer_upload_refused_total. */
export type RefusalCause =
  | 'bad-request'
  | 'not-found'
  | 'range'
  | 'not-available'
  | 'busy'
  | 'connections'
  | 'shutting-down'
  | 'timed-out'
  | 'out-of-files'
  | 'disk'
  | 'internal';

/** Lengths that are read when somebody scrapes. */
export interface UploadLevels {
  queuedTransfers(): number;
  waitingForPiece(): number;
  waitingForBandwidth(): number;
  connections(): number;
  limitBytesPerSecond(): number | undefined;
  limiterSpentBytes(): number;
}

/** Tags and applications come from users: beyond this many pairs all others count as "other". */
export const MAX_TASK_LABELS = 500;

const MIB = 1024 ** 2;
/** Upper bounds of Dragonfly's task_size_level 1 to 19; 0 is an empty or unknown size, 20 is 1 TiB and more. */
const SIZE_LEVEL_BOUNDS = [
  ...[1, 4, 8, 16, 32, 64, 128, 256, 512, 1024].map((mebibytes) => mebibytes * MIB),
  ...[4, 8, 16, 32, 64, 128, 256, 512, 1024].map((gibibytes) => gibibytes * 1024 * MIB),
];

/** Dragonfly's `task_size_level` of a task of so many bytes. */
export function taskSizeLevel(bytes: number | undefined): number {
  if (bytes === undefined || bytes === 0) return 0;
  const index = SIZE_LEVEL_BOUNDS.findIndex((bound) => bytes < bound);
  return index === -1 ? SIZE_LEVEL_BOUNDS.length + 1 : index + 1;
}

/** Series of one protocol, route and reason. */
interface RouteSeries {
  bytes: Tally;
  seconds: Distribution;
  transfers: Map<UploadResult, Tally>;
}

/** Series of one set of task labels. */
interface TaskSeries {
  begun: Tally;
  failed: Tally;
  running: Tally;
  milliseconds: Map<number, Distribution>;
}

const ROUTE_LABELS = ['protocol', 'route', 'reason'] as const;
const TASK_LABELS = ['type', 'tag', 'app'] as const;

/** Everything uploads count, under our names and under Dragonfly's. Bytes come from the writer and from nowhere else. */
export class UploadMetrics {
  readonly #bytes;
  readonly #transfers;
  readonly #seconds;
  readonly #refused;
  readonly #traffic;
  readonly #tasks;
  readonly #taskFailures;
  readonly #runningTasks;
  readonly #runningPieces;
  readonly #taskMilliseconds;
  readonly #routeSeries = {
    http: new Map<Route, Map<RouteReason, RouteSeries>>(),
    vortex: new Map<Route, Map<RouteReason, RouteSeries>>(),
  };
  readonly #namedTasks = new NamedFew(MAX_TASK_LABELS);
  readonly #taskSeries = new Map<string, TaskSeries>();
  /** A task's labels are one object while it is stored, which spares making the key. */
  readonly #seriesOfLabels = new WeakMap<ServedTask['labels'], TaskSeries>();
  readonly #taskDistributions = new Map<string, Distribution>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#bytes = new TallyCounter({
      name: 'dfpeer_upload_bytes_total',
      help: 'Piece bytes that sockets took, by how they travelled and why so',
      labelNames: ROUTE_LABELS,
      registers,
    });
    this.#transfers = new TallyCounter({
      name: 'dfpeer_upload_transfers_total',
      help: 'Uploads that ended, by the route they ended on and what became of them',
      labelNames: [...ROUTE_LABELS, 'result'] as const,
      registers,
    });
    this.#seconds = new TallyHistogram({
      name: 'dfpeer_upload_duration_seconds',
      help: 'Time from admission to the last byte, by the route an upload ended on',
      labelNames: ROUTE_LABELS,
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#refused = new Counter({
      name: 'dfpeer_upload_refused_total',
      help: 'Requests and connections that got no piece bytes, by cause',
      labelNames: ['protocol', 'cause'] as const,
      registers,
    });
    const traffic = { name: 'dragonfly_client_upload_traffic', help: 'Piece bytes uploaded', registers };
    this.#traffic = new TallyCounter(traffic).series({});
    this.#tasks = new TallyCounter({
      name: 'dragonfly_client_upload_task_total',
      help: 'Uploads begun',
      labelNames: TASK_LABELS,
      registers,
    });
    this.#taskFailures = new TallyCounter({
      name: 'dragonfly_client_upload_task_failure_total',
      help: 'Uploads that did not complete',
      labelNames: TASK_LABELS,
      registers,
    });
    this.#runningTasks = new TallyGauge({
      name: 'dragonfly_client_concurrent_upload_task_total',
      help: 'Uploads under way, by task labels',
      labelNames: TASK_LABELS,
      registers,
    });
    const pieces = { name: 'dragonfly_client_concurrent_upload_piece_total', help: 'Uploads under way', registers };
    this.#runningPieces = new TallyGauge(pieces).series({});
    this.#taskMilliseconds = new TallyHistogram({
      name: 'dragonfly_client_upload_task_duration_milliseconds',
      help: 'Time from admission to the last byte of completed uploads',
      labelNames: ['task_type', 'task_size_level'] as const,
      buckets: DRAGONFLY_DURATION_BUCKETS_MS,
      registers,
    });
  }

  bytes(protocol: UploadProtocol, choice: RouteChoice, count: number): void {
    this.#seriesOf(protocol, choice).bytes.value += count;
    this.#traffic.value += count;
  }

  started(task: ServedTask): void {
    const series = this.#taskSeriesOf(task);
    series.begun.value++;
    series.running.value++;
    this.#runningPieces.value++;
  }

  finished(protocol: UploadProtocol, task: ServedTask, outcome: UploadOutcome): void {
    const { choice, result, durationMs } = outcome;
    const series = this.#seriesOf(protocol, choice);
    series.seconds.observe(durationMs / 1000);
    this.#transfersOf(series, protocol, choice, result).value++;
    const taskSeries = this.#taskSeriesOf(task);
    taskSeries.running.value--;
    this.#runningPieces.value--;
    if (result === 'complete') this.#millisecondsOf(taskSeries, task).observe(durationMs);
    else taskSeries.failed.value++;
  }

  refused(protocol: UploadProtocol, cause: RefusalCause): void {
    this.#refused.inc({ protocol, cause });
  }

  #seriesOf(protocol: UploadProtocol, { route, reason }: RouteChoice): RouteSeries {
    const known = this.#routeSeries[protocol].get(route)?.get(reason);
    if (known !== undefined) return known;
    const labels = { protocol, route, reason };
    const series = { bytes: this.#bytes.series(labels), seconds: this.#seconds.series(labels), transfers: new Map() };
    const ofRoute = this.#routeSeries[protocol].get(route) ?? new Map<RouteReason, RouteSeries>();
    this.#routeSeries[protocol].set(route, ofRoute.set(reason, series));
    return series;
  }

  #transfersOf(
    series: RouteSeries,
    protocol: UploadProtocol,
    { route, reason }: RouteChoice,
    result: UploadResult,
  ): Tally {
    const known = series.transfers.get(result);
    if (known !== undefined) return known;
    const made = this.#transfers.series({ protocol, route, reason, result });
    series.transfers.set(result, made);
    return made;
  }

  #taskSeriesOf(task: ServedTask): TaskSeries {
    const known = this.#seriesOfLabels.get(task.labels);
    if (known !== undefined) return known;
    const series = this.#findTaskSeries(task.labels);
    this.#seriesOfLabels.set(task.labels, series);
    return series;
  }

  #findTaskSeries({ type, tag, application }: ServedTask['labels']): TaskSeries {
    const ownKey = JSON.stringify([type, tag, application]);
    const isNamed = this.#namedTasks.admits(ownKey);
    const key = isNamed ? ownKey : JSON.stringify([type]);
    const known = this.#taskSeries.get(key);
    if (known !== undefined) return known;
    const labels = isNamed ? { type, tag, app: application } : { type, tag: 'other', app: 'other' };
    const series = {
      begun: this.#tasks.series(labels),
      failed: this.#taskFailures.series(labels),
      running: this.#runningTasks.series(labels),
      milliseconds: new Map<number, Distribution>(),
    };
    this.#taskSeries.set(key, series);
    return series;
  }

  #millisecondsOf(series: TaskSeries, task: ServedTask): Distribution {
    const level = taskSizeLevel(task.contentLength);
    const known = series.milliseconds.get(level);
    if (known !== undefined) return known;
    const key = `${task.labels.type} ${level}`;
    const labels = { task_type: task.labels.type, task_size_level: level };
    const made = this.#taskDistributions.get(key) ?? this.#taskMilliseconds.series(labels);
    this.#taskDistributions.set(key, made);
    series.milliseconds.set(level, made);
    return made;
  }
}

/** Queue lengths and levels, read from the service at scrape time. */
export function registerUploadLevels(registry: Registry, levels: UploadLevels): void {
  const gauge = (name: string, help: string, read: () => number): void => scrapedGauge(registry, name, help, read);
  gauge('dfpeer_upload_queue_length', 'Requests waiting for a transfer slot', levels.queuedTransfers);
  gauge(
    'dfpeer_upload_waiting_for_piece',
    'Requests and uploads waiting for bytes still being downloaded',
    levels.waitingForPiece,
  );
  gauge('dfpeer_upload_waiting_for_bandwidth', 'Uploads waiting for a lease of any limit', levels.waitingForBandwidth);
  gauge('dfpeer_upload_connections', 'Open connections of the piece servers', levels.connections);
  gauge(
    'dfpeer_upload_limit_bytes_per_second',
    'The upload limit in force; 0 is none',
    () => levels.limitBytesPerSecond() ?? 0,
  );
  gauge(
    'dfpeer_upload_limiter_spent_bytes',
    'Bytes that the upload limiter granted for good',
    levels.limiterSpentBytes,
  );
}
