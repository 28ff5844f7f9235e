import type { Clock } from '../core/clock.js';

/** A pause of a background loop that can be cut short, also before it begins. Its timer never keeps the process alive. */
export class WakeablePause {
  readonly #clock: Clock;
  #isWoken = false;
  #end: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the pause that runs, or makes the next one end at once. */
  wake(): void {
    this.#isWoken = true;
    this.#end?.();
  }

  async wait(delayMs: number): Promise<void> {
    if (!this.#isWoken)
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(delayMs, resolve, { unref: true });
        this.#end = () => {
          cancel();
          resolve();
        };
      });
    this.#isWoken = false;
    this.#end = undefined;
  }
}

/** 1, 2, 4 … times the base, at most the maximum, times 0.5 to 1: many that failed together don't come back together. */
export function backoffMs(failures: number, options: { baseMs: number; maxMs: number; random: () => number }): number {
  const { baseMs, maxMs, random } = options;
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30)) * (0.5 + random() / 2);
}

/** The interval ±10 %. */
export function jitteredMs(intervalMs: number, random: () => number): number {
  return intervalMs * (0.9 + random() * 0.2);
}
