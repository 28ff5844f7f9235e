import type { StoredTask } from '../store/stored-task.js';
import type { DownloadRequest } from './download-request.js';

/** One client's share in a download: over as soon as what this client wants is stored, whatever the others still wait for. */
export class DownloadClient {
  readonly done: Promise<StoredTask>;
  readonly #range: DownloadRequest['range'];
  readonly #onTask: (task: StoredTask) => void;
  #resolve: (task: StoredTask) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(range: DownloadRequest['range'], onTask: (task: StoredTask) => void) {
    this.#range = range;
    this.#onTask = onTask;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever has left no longer listens.
    this.done.catch(() => undefined);
  }

  /** The end of the download is the end for everybody in it. */
  join(download: Promise<StoredTask>): void {
    download.then(
      (task) => this.#resolve(task),
      (error: unknown) => this.#reject(error),
    );
  }

  /** The task to wait for; again with another one when the content changed. What fails here fails for this client alone. */
  follow(task: StoredTask): void {
    this.leave();
    this.#alone(() => {
      this.#onTask(task);
      if (this.#range === undefined || this.#isServed(task)) return;
      this.#unsubscribe = task.subscribe({ onPiece: () => this.#alone(() => void this.#isServed(task)) });
    });
  }

  leave(): void {
    this.#unsubscribe();
    this.#unsubscribe = () => undefined;
  }

  #alone(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.leave();
      this.#reject(error);
    }
  }

  /** The range of an unknown length is resolved as soon as that is known, and may not fit it. */
  #isServed(task: StoredTask): boolean {
    const { layout } = task;
    if (layout === undefined || this.#range === undefined || !task.has(this.#range(layout.contentLength))) return false;
    this.leave();
    this.#resolve(task);
    return true;
  }
}
