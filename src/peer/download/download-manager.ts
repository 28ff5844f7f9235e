import { sleep } from '../../core/deadline.js';
import { AbortedError, DfpeerError } from '../../core/errors.js';
import type { TaskId } from '../../core/task-id.js';
import { noTracing, type Tracer } from '../../core/tracing.js';
import type { StoredTask } from '../store/stored-task.js';
import type { BeginUse } from '../use-watch.js';
import type { DownloadDependencies } from './dependencies.js';
import { DistrustedHosts } from './distrusted-hosts.js';
import { DownloadClient } from './download-client.js';
import type { DownloadRequest } from './download-request.js';
import type { DownloadFacts } from './download-story.js';
import { OriginRooms } from './origin-rooms.js';
import { RememberedHosts } from './remembered-hosts.js';
import { TaskDownload } from './task-download.js';

/** Tasks being downloaded at the same time; one more is refused with DFP_LIMIT. */
export const DEFAULT_MAX_DOWNLOADS = 256;

/** One client's share in a download. */
export interface DownloadHandle {
  readonly peerId: string;
  /** Everything this client wants is stored; otherwise the coded reason. */
  readonly done: Promise<StoredTask>;
  /** As far as the download has come. */
  readonly facts: () => Readonly<DownloadFacts>;
  /** The client has gone; the last one to go stops the download. What is stored stays for the next. */
  leave(): void;
}

interface Running {
  download: TaskDownload;
  done: Promise<StoredTask>;
  clients: Set<DownloadClient>;
  task: StoredTask | undefined;
}

/** What the downloads share of what they find out, and who runs them. */
type MadeHere = 'inBackground' | 'tracer' | 'distrusted' | 'silentHosts' | 'unreachableHosts' | 'originRooms';

/** All downloads of this host: one a task, whoever asks. */
export class DownloadManager {
  readonly #dependencies: DownloadDependencies;
  readonly #background = new Set<Promise<void>>();
  readonly #maxDownloads: number;
  readonly #beginUse: BeginUse | undefined;
  readonly #running = new Map<TaskId, Running>();
  #closing = false;

  constructor(
    dependencies: Omit<DownloadDependencies, MadeHere>,
    options?: { maxDownloads?: number; tracer?: Tracer; beginUse?: BeginUse },
  ) {
    this.#dependencies = {
      ...dependencies,
      tracer: options?.tracer ?? noTracing,
      inBackground: (work) => this.#inBackground(work),
      distrusted: new DistrustedHosts(dependencies.clock),
      silentHosts: new RememberedHosts(dependencies.clock),
      unreachableHosts: new RememberedHosts(dependencies.clock),
      originRooms: new OriginRooms(dependencies.clock),
    };
    this.#maxDownloads = options?.maxDownloads ?? DEFAULT_MAX_DOWNLOADS;
    this.#beginUse = options?.beginUse;
  }

  get size(): number {
    return this.#running.size;
  }

  /**
   * Joins the task's download, or starts one. `onTask` hears of the stored task once its length is known, and again should a changed
   * origin make it start anew. @throws DfpeerError DFP_LIMIT, DFP_SHUTTING_DOWN
   */
  start(request: DownloadRequest, onTask: (task: StoredTask) => void): DownloadHandle {
    if (this.#closing)
      throw new DfpeerError('DFP_SHUTTING_DOWN', 'this daemon is shutting down and starts no download');
    const known = this.#running.get(request.taskId);
    // One that is ending can't take more: the next one waits until nothing of it writes any more.
    const joined = known !== undefined && known.clients.size > 0 && known.download.want(request);
    const running = joined ? known : this.#begin(request, known?.done);
    const client = new DownloadClient(request.range, onTask);
    running.clients.add(client);
    client.join(running.done);
    if (running.task !== undefined) client.follow(running.task);
    return {
      peerId: running.download.peerId,
      facts: () => running.download.facts,
      done: client.done,
      leave: () => {
        client.leave();
        running.clients.delete(client);
        if (running.clients.size === 0)
          running.download.abort(new AbortedError(`the download of task ${request.taskId}`));
      },
    };
  }

  /** No new downloads; those that run may finish within the time given, then they stop and can be resumed. */
  async drain(timeoutMs: number): Promise<void> {
    this.#closing = true;
    const finished = Promise.allSettled([...this.#running.values()].map(({ done }) => done));
    const giveUp = new AbortController();
    const patience = sleep(timeoutMs, giveUp.signal, this.#dependencies.clock).catch(() => undefined);
    await Promise.race([finished, patience]);
    giveUp.abort();
    const reason = new DfpeerError('DFP_SHUTTING_DOWN', 'this daemon is shutting down; start the download again');
    for (const { download } of this.#running.values()) download.abort(reason);
    await finished;
    await Promise.all(this.#background);
  }

  #inBackground(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) => this.#dependencies.logger.error({ err: error }, 'the end of a download failed'))
      .finally(() => this.#background.delete(settled));
    this.#background.add(settled);
  }

  #begin(request: DownloadRequest, predecessor: Promise<StoredTask> | undefined): Running {
    if (predecessor === undefined && this.#running.size >= this.#maxDownloads)
      throw new DfpeerError('DFP_LIMIT', `${this.#maxDownloads} tasks are being downloaded already; try again later`);
    const clients: Running['clients'] = new Set();
    const endUse = this.#beginUse?.();
    const download = new TaskDownload(this.#dependencies, request, (task) => {
      running.task = task;
      for (const client of [...clients]) client.follow(task);
    });
    const done = (predecessor ?? Promise.resolve())
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => download.run())
      .finally(() => {
        endUse?.();
        if (this.#running.get(request.taskId) === running) this.#running.delete(request.taskId);
      });
    // Whoever has left no longer listens.
    done.catch(() => undefined);
    const running: Running = { download, done, clients, task: undefined };
    this.#running.set(request.taskId, running);
    return running;
  }
}
