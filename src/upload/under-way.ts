import type { Clock } from '../core/clock.js';

/** Counts the requests that are being answered, and says when there is none. */
export class UnderWay {
  readonly #clock: Clock;
  readonly #idleListeners = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async during<T>(answering: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await answering();
    } finally {
      this.#count--;
      if (this.#count === 0) for (const listener of [...this.#idleListeners]) listener();
    }
  }

  /** Resolves true when none is under way any more, false after `timeoutMs`. */
  async whenIdle(timeoutMs: number): Promise<boolean> {
    if (this.#count === 0) return true;
    return new Promise((resolve) => {
      const settle = (idle: boolean): void => {
        cancel();
        this.#idleListeners.delete(onIdle);
        resolve(idle);
      };
      const onIdle = (): void => settle(true);
      const cancel = this.#clock.after(timeoutMs, () => settle(false));
      this.#idleListeners.add(onIdle);
    });
  }
}
