import { DfpeerError } from '../core/errors.js';

/** A daemon drains for a minute at most, and stops what it consists of. */
export const SHUTDOWN_WAIT_MS = 75_000;

/** How long one download may still take: all its attempts together, from the first time that a daemon was asked. */
export class Patience {
  readonly timeoutMs: number;
  readonly #now: () => number;
  #startedMs: number | undefined;
  #refusedMs: number | undefined;

  constructor(timeoutMs: number, now: () => number = () => performance.now()) {
    this.timeoutMs = timeoutMs;
    this.#now = now;
  }

  begin(): void {
    this.#startedMs ??= this.#now();
  }

  /** Whole ones: the daemon is told of them. */
  get leftMs(): number {
    return Math.max(1, Math.ceil(this.timeoutMs - (this.#now() - (this.#startedMs ?? this.#now()))));
  }

  /**
   * For the end of a daemon that is shutting down and takes no download.
   * @throws DfpeerError that refusal, when there is no time left
   */
  forShutdown(refusal: DfpeerError): number {
    this.#refusedMs ??= this.#now();
    const leftMs = Math.min(this.leftMs, this.#refusedMs + SHUTDOWN_WAIT_MS - this.#now());
    if (leftMs > 1) return leftMs;
    throw refusal;
  }
}
