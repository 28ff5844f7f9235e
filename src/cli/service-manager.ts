import { sendUnixDatagram } from '../../native/index.js';
import { type Clock, every, systemClock } from '../core/clock.js';
import type { Logger } from '../core/logger.js';

/** Pings come this often within the time that the service manager waits for one. */
const PINGS_PER_TIMEOUT = 3;

export interface ServiceManagerOptions {
  logger: Logger;
  env?: NodeJS.ProcessEnv;
  clock?: Clock;
  /** CLOCK_MONOTONIC, in microseconds. */
  monotonicUs?: () => bigint;
}

/**
 * Tells systemd how the daemon is (sd_notify(3)): ready, reloading, stopping, and that its event loop still turns
 * (WatchdogSec=). Does nothing where no service manager asked for it; what can't be told is logged once.
 */
export class ServiceManager {
  readonly #socketPath: string | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #monotonicUs: () => bigint;
  #cancelPing: () => void = () => undefined;
  #isStopping = false;
  #hasComplained = false;

  constructor(options: ServiceManagerOptions) {
    const { logger, env = process.env, clock = systemClock, monotonicUs = processMonotonicUs } = options;
    this.#socketPath = env.NOTIFY_SOCKET === '' ? undefined : env.NOTIFY_SOCKET;
    this.#watchdogMs = watchdogMs(env);
    this.#logger = logger;
    this.#clock = clock;
    this.#monotonicUs = monotonicUs;
  }

  /** Work can be given to the daemon; the watchdog is fed from now on. Not once it is stopping: a reload may end later than it began to. */
  ready(status: string): void {
    if (this.#isStopping) return;
    this.#notify('READY=1', `STATUS=${status}`);
    this.#cancelPing();
    if (this.#socketPath === undefined || this.#watchdogMs === undefined) return;
    this.#ping();
    this.#cancelPing = every(this.#clock, this.#watchdogMs / PINGS_PER_TIMEOUT, () => this.#ping());
  }

  /** Until the next ready(). */
  reloading(): void {
    this.#notify('RELOADING=1', `MONOTONIC_USEC=${this.#monotonicUs()}`, 'STATUS=reading the configuration again');
  }

  /** No new work; the watchdog is fed until close(). */
  stopping(reason: string): void {
    this.#isStopping = true;
    this.#notify('STOPPING=1', `STATUS=finishing running transfers (${reason})`);
  }

  close(): void {
    this.#cancelPing();
  }

  #ping(): void {
    this.#notify('WATCHDOG=1');
  }

  #notify(...assignments: string[]): void {
    if (this.#socketPath === undefined) return;
    try {
      sendUnixDatagram(this.#socketPath, assignments.map((line) => line.replaceAll('\n', ' ')).join('\n'));
    } catch (error) {
      if (this.#hasComplained) return;
      this.#hasComplained = true;
      this.#logger.warn({ err: error }, 'the service manager could not be told how this daemon is');
    }
  }
}

/** How long the service manager waits for a sign of life of this process (sd_watchdog_enabled(3)); undefined: it doesn't. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined;
  const microseconds = Number(WATCHDOG_USEC ?? '');
  return Number.isSafeInteger(microseconds) && microseconds > 0 ? microseconds / 1000 : undefined;
}

function processMonotonicUs(): bigint {
  return process.hrtime.bigint() / 1000n;
}
