import { findPlaces, type Places, storeDirectoryIn, SYSTEM_PLACES } from '../config/places.js';
import { sleep, withDeadline } from '../core/deadline.js';
import type { LogLevel } from '../core/log-level.js';
import { findNotedSocket } from '../peer/socket-note.js';
import { FoundDaemon, isListening, tryDaemon } from './daemon-connection.js';

/** A daemon that dfget starts ends after so long without work. */
const DEFAULT_ALIVE_TIME = '5m';
const POLL_INTERVAL_MS = 100;

export interface DaemonsOptions {
  /** Socket of the daemon, when named: then none is started. */
  endpoint: string | undefined;
  /** Of one that is started. */
  logLevel: LogLevel | undefined;
  /** None runs, one is being started. */
  onStart: () => void;
  /** Awaited before it is used. */
  onFound: (daemon: FoundDaemon) => Promise<void>;
  /** It takes no downloads any more, and its end is waited for. Told once. */
  onShutdown: () => void;
  signal: AbortSignal;
}

/** The daemon that the downloads of this process share: found or started at the first of them. */
export class Daemons {
  readonly #options: DaemonsOptions;
  #current: Promise<FoundDaemon> | undefined;
  #isShutdownTold = false;

  constructor(options: DaemonsOptions) {
    this.#options = options;
  }

  /** @throws DfpeerError DFP_DAEMON_UNREACHABLE */
  current(): Promise<FoundDaemon> {
    this.#current ??= this.#find();
    return this.#current;
  }

  /** Waits until a daemon has gone that is shutting down; from then on the current one is another. @throws DeadlineError */
  async replace(daemon: FoundDaemon, timeoutMs: number): Promise<void> {
    const { endpoint, signal, onShutdown } = this.#options;
    if (!this.#isShutdownTold) onShutdown();
    this.#isShutdownTold = true;
    await withDeadline({ waitingFor: `the end of ${daemon.name}`, timeoutMs, signal }, async (each) => {
      await daemon.untilGone(each);
      // Whoever has named a daemon has somebody else restart it.
      while (endpoint !== undefined && !(await isListening(endpoint))) await sleep(POLL_INTERVAL_MS, each);
    });
    const current = this.#current;
    // Of several downloads that it refused the first one to come here has another looked for.
    const isStale = (await current?.catch(() => undefined)) === daemon;
    if (isStale && this.#current === current) this.#current = undefined;
  }

  async #find(): Promise<FoundDaemon> {
    const daemon = await findDaemon(this.#options);
    await this.#options.onFound(daemon);
    return daemon;
  }
}

/** A daemon that answers: the one named, the user's own, the system's; or one started now, which logs at `logLevel`. */
async function findDaemon({ endpoint, onStart, signal, logLevel }: DaemonsOptions): Promise<FoundDaemon> {
  if (endpoint !== undefined) return new FoundDaemon(endpoint);
  const places = findPlaces();
  const found = await findRunning(places);
  if (found !== undefined) return found;
  onStart();
  // Most downloads find one that runs.
  const { startDaemon } = await import('./start-daemon.js');
  return startDaemon(places, { aliveTime: process.env.DFPEER_ALIVE_TIME ?? DEFAULT_ALIVE_TIME, logLevel }, signal);
}

/** Its own daemon may have been started with another environment, which decides where the socket is, but not where the store is. */
async function findRunning({ kind, socketPath, dataDir, logDir }: Places): Promise<FoundDaemon | undefined> {
  return (
    (await tryDaemon(socketPath, { logDir })) ??
    (await tryDaemon(await findNotedSocket(storeDirectoryIn(dataDir)))) ??
    (kind === 'user' ? tryDaemon(SYSTEM_PLACES.socketPath, { logDir: SYSTEM_PLACES.logDir }) : undefined)
  );
}
