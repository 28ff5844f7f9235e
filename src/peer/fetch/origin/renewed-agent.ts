import type { Dispatcher } from 'undici';

/** Beyond, what is idle is closed: they may all have been asked within the time that a connection is kept. */
export const MAX_ORIGINS = 256;

/**
 * undici's agent, and a new one in its place before it has had to do with too many origins: it would refuse one more, and behind a proxy
 * it forgets none, ever.
 */
export class RenewedAgent {
  readonly #make: () => Dispatcher;
  readonly #origins = new Set<string>();
  #agent: Dispatcher;

  constructor(make: () => Dispatcher) {
    this.#make = make;
    this.#agent = make();
  }

  for(origin: string): Dispatcher {
    if (!this.#origins.has(origin) && this.#origins.size >= MAX_ORIGINS) {
      this.#origins.clear();
      this.retire();
      this.#agent = this.#make();
    }
    this.#origins.add(origin);
    return this.#agent;
  }

  /** Closes what is idle; what is under way may end. */
  retire(): void {
    this.#agent.close().catch(() => undefined);
  }

  destroy(): Promise<void> {
    return this.#agent.destroy();
  }
}
