import type { Clock } from '../../core/clock.js';
import { parseTaskId } from '../../core/task-id.js';
import type { SchedulerClient } from '../../scheduler-client/scheduler-client.js';
import type { LiveUpload } from '../../upload/index.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import type { HostLedger, WatchedHost } from './host-ledger.js';
import type { LimitsView } from './limits-view.js';
import type { LogTail } from './log-tail.js';
import { type DownloadState, viewDownload } from './download-state.js';
import { viewTask, type TaskView } from './task-view.js';
import type { Throughput } from './throughput.js';
import { type TransferCount, TransferRates } from './transfer-rates.js';
import { viewFetch, viewUpload, type TransferView } from './transfer-view.js';
import type { WatchedFetcher } from './watched-fetcher.js';

/** Entries of one list in one answer; the total says how many there are. */
export const MAX_LISTED_ENTRIES = 1000;

/** The process as its operators know it. */
export interface DaemonFacts {
  version: string;
  pid: number;
  hostId: string;
  ip: string;
  startedAtMs: number;
  /** By name, after 0 and fallbacks were resolved. */
  ports: Readonly<Record<string, number>>;
}

export interface SchedulerView {
  address: string;
  healthy: boolean;
  /** Empty: none. */
  lastError: string;
}

export interface Listing<Entry> {
  entries: Entry[];
  total: number;
}

export interface DaemonViewSources {
  store: TaskStore;
  uploads: () => LiveUpload[];
  fetcher: WatchedFetcher;
  ledger: HostLedger;
  throughput: Throughput;
  tail: LogTail;
  limits: () => LimitsView;
  schedulers: () => ReturnType<SchedulerClient['status']>;
  facts: () => DaemonFacts;
  clock: Clock;
}

/** Everything that operators may see of a daemon, for the admin service and the status page. */
export class DaemonView {
  readonly #sources: DaemonViewSources;
  readonly #uploadRates: TransferRates;
  readonly #fetchRates: TransferRates;

  constructor(sources: DaemonViewSources) {
    this.#sources = sources;
    this.#uploadRates = new TransferRates(sources.clock);
    this.#fetchRates = new TransferRates(sources.clock);
  }

  get now(): number {
    return this.#sources.clock.now();
  }

  get facts(): DaemonFacts {
    return this.#sources.facts();
  }

  get limits(): LimitsView {
    return this.#sources.limits();
  }

  get throughput(): Throughput {
    return this.#sources.throughput;
  }

  get tail(): LogTail {
    return this.#sources.tail;
  }

  schedulers(): SchedulerView[] {
    return this.#sources
      .schedulers()
      .map(({ address, healthy, lastError }) => ({ address, healthy, lastError: lastError ?? '' }));
  }

  get storedBytes(): number {
    return this.#sources.store.storedBytes;
  }

  /** Most recently used first, those in use before all others. */
  storedTasks(idPrefix = ''): StoredTask[] {
    return this.#sources.store
      .tasks()
      .filter(({ taskId }) => taskId.startsWith(idPrefix))
      .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.lastUsedMs - a.lastUsedMs);
  }

  /** Pieces of the task that are on their way here. */
  piecesUnderWay(task: StoredTask): ReadonlySet<number> {
    const { pieceLength } = task.record;
    const fetches = this.#sources.fetcher.list().filter(({ taskId }) => taskId === task.taskId);
    return new Set(
      fetches.map(({ offset, bytes, length }) => Math.floor((length === undefined ? bytes : offset) / pieceLength)),
    );
  }

  /** Undefined when the task is not being downloaded. */
  download(taskId: string): DownloadState | undefined {
    const { store, fetcher } = this.#sources;
    const task = store.get(parseTaskId(taskId));
    if (task?.downloading !== true) return undefined;
    const fetches = fetcher.list().filter((fetch) => fetch.taskId === taskId);
    return viewDownload(task, fetches);
  }

  tasks(limit = 0, idPrefix = ''): Listing<TaskView> {
    const all = this.storedTasks(idPrefix);
    const uploads = this.uploadsByTask();
    const shown = firstOf(all, limit);
    return { entries: shown.map((task) => viewTask(task, uploads.get(task.taskId) ?? 0)), total: all.length };
  }

  /** Uploads under way, by task. */
  uploadsByTask(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { taskId } of this.#sources.uploads()) counts.set(taskId, (counts.get(taskId) ?? 0) + 1);
    return counts;
  }

  /** Downloads, then uploads; oldest first. */
  transfers(limit = 0): Listing<TransferView> {
    const { uploads, fetcher } = this.#sources;
    const all = [
      ...fetcher.list().map((fetch) => viewFetch(fetch, this.#fetchRates.of(fetch))),
      ...uploads().map((upload) => viewUpload(upload, this.#uploadRates.of(countOf(upload)))),
    ];
    return { entries: firstOf(all, limit), total: all.length };
  }

  /** Their rates are the means between now and such samples. */
  sampleTransfers(): void {
    this.#fetchRates.sample(this.#sources.fetcher.list());
    this.#uploadRates.sample(this.#sources.uploads().map(countOf));
  }

  /** Most recently seen first. */
  peers(limit = 0): Listing<WatchedHost> {
    const all = this.#sources.ledger.list();
    const underWay = new Map<string, number>();
    for (const { childIp, bytesSent } of this.#sources.uploads())
      underWay.set(childIp, (underWay.get(childIp) ?? 0) + bytesSent);
    // The ledger hears of an upload's bytes at its end.
    const entries = firstOf(all, limit).map((host) => ({
      ...host,
      uploads: { ...host.uploads, bytes: host.uploads.bytes + (underWay.get(host.address) ?? 0) },
    }));
    return { entries, total: all.length };
  }
}

function countOf({ id, bytesSent, sinceMs }: LiveUpload): TransferCount {
  return { id, bytes: bytesSent, sinceMs };
}

function firstOf<Entry>(entries: readonly Entry[], limit: number): Entry[] {
  return entries.slice(0, limit === 0 ? MAX_LISTED_ENTRIES : Math.min(limit, MAX_LISTED_ENTRIES));
}
