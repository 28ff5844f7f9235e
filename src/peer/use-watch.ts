import type { Clock } from '../core/clock.js';

/** Says that something of the daemon is in use from now on; the returned function ends that. Idempotent. */
export type BeginUse = () => () => void;

/** Knows whether somebody uses the daemon, and since when nobody does: each use tells of its begin and its end, however short it is. */
export class UseWatch {
  readonly #clock: Clock;
  #running = 0;
  #idleSinceMs: number;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#idleSinceMs = clock.monotonicMs();
  }

  get isInUse(): boolean {
    return this.#running > 0;
  }

  readonly begin: BeginUse = () => {
    this.#running++;
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      this.#running--;
      this.#idleSinceMs = this.#clock.monotonicMs();
    };
  };

  /** Calls back once, when there has been no use for `idleMs`. */
  whenIdle(idleMs: number, onIdle: () => void): void {
    // A use that still runs ends now at the earliest.
    const leftMs = this.isInUse ? Math.max(idleMs, 1) : this.#idleSinceMs + idleMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return onIdle();
    this.#cancel = this.#clock.after(leftMs, () => this.whenIdle(idleMs, onIdle), { unref: true });
  }

  stop(): void {
    this.#cancel?.();
  }
}
