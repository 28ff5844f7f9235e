/** Something that wants to hear of its progress now and then. */
export interface ProgressListener {
  reportProgress(): void;
}

/** One timer for all transfers that have an onProgress; it runs only while there are any. */
export class ProgressTicker {
  readonly #intervalMs: number;
  readonly #listeners = new Set<ProgressListener>();
  #timer: NodeJS.Timeout | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  add(listener: ProgressListener): void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => {
      for (const each of this.#listeners) each.reportProgress();
    }, this.#intervalMs).unref();
  }

  remove(listener: ProgressListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
