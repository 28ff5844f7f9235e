import type { Clock } from '../core/clock.js';
import { Liveness } from './liveness.js';
import type { SchedulerConnection } from './scheduler-connection.js';
import { WakeablePause } from './wakeable-pause.js';

/** One scheduler of the set, and how it stands. */
export class SchedulerMember {
  readonly connection: SchedulerConnection;
  /** Cut short to have the scheduler's health checked now. */
  readonly pause: WakeablePause;
  readonly removal = new AbortController();
  readonly liveness: Liveness;
  isHealthy = false;
  /** Since the last health check: it may have been restarted meanwhile. */
  wasDisconnected = false;
  lastAnnouncedAtMs: number | undefined;
  /** An announcement of ours has set off: whatever came of it, the scheduler may know this host. */
  mayKnowHost = false;
  lastError: string | undefined;

  constructor(connection: SchedulerConnection, clock: Clock) {
    this.connection = connection;
    this.pause = new WakeablePause(clock);
    this.liveness = new Liveness({
      probe: () => connection.checkHealth(this.removal.signal),
      onSilent: () => this.suspect(),
      clock,
    });
    connection.onConnectionLost(() => this.suspect());
  }

  get address(): string {
    return this.connection.address;
  }

  get isRemoved(): boolean {
    return this.removal.signal.aborted;
  }

  /** Something says that it may be down or restarted: look now, not at the next interval. */
  suspect(): void {
    this.wasDisconnected = true;
    this.pause.wake();
  }

  remove(): void {
    this.removal.abort();
    this.pause.wake();
  }
}
