import { withDeadline } from '../core/deadline.js';
import type { Logger } from '../core/logger.js';

/** No part may hold up the end of the process for longer; drains bound themselves below this. */
export const STEP_TIMEOUT_MS = 60_000;

/** What was started is stopped in the reverse order, whatever fails on the way. */
export class Shutdown {
  readonly #steps: { name: string; stop: () => Promise<void> }[] = [];
  readonly #logger: Logger;
  #running: Promise<void> | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, stop: () => Promise<void>): void {
    this.#steps.push({ name, stop });
  }

  /** Idempotent; never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#runSteps();
    return this.#running;
  }

  async #runSteps(): Promise<void> {
    for (const { name, stop } of this.#steps.reverse()) {
      try {
        await withDeadline({ waitingFor: `the end of ${name}`, timeoutMs: STEP_TIMEOUT_MS }, stop);
      } catch (error) {
        this.#logger.error({ err: error }, `${name} did not stop well`);
      }
    }
  }
}
