import type { LookupFunction } from 'node:net';
import { type Clock, systemClock } from '../../../core/clock.js';
import type { Transfer } from '../transfer.js';
import { CONNECT_TIMEOUT_MS, type Endpoint, PieceConnection, RECEIVE_BUFFER_BYTES } from './piece-connection.js';

export const MAX_IDLE_PER_ENDPOINT = 8;
export const MAX_IDLE_CONNECTIONS = 64;
/** Below the keep-alive timeout of dfpeer's own piece server, so that it is us who close. */
export const IDLE_CONNECTION_MS = 4000;

interface IdleConnection {
  connection: PieceConnection;
  cancelTimer: () => void;
}

/** Connections of one thread to parents, or to http origins; those that wait for their next request are kept for a while, a bounded number. */
export class ConnectionPool {
  readonly #buffer = Buffer.allocUnsafeSlow(RECEIVE_BUFFER_BYTES);
  readonly #idle = new Map<string, IdleConnection[]>();
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;
  readonly #lookup: LookupFunction | undefined;
  #idleCount = 0;

  /** `lookup`: how host names are resolved; parents go by addresses. */
  constructor(options: { clock?: Clock; connectTimeoutMs?: number; lookup?: LookupFunction } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#lookup = options.lookup;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  }

  get idleCount(): number {
    return this.#idleCount;
  }

  /** The connection that became idle last, or undefined. */
  takeIdle(endpoint: Endpoint, metered: boolean): PieceConnection | undefined {
    for (;;) {
      const entry = this.#idle.get(keyOf(endpoint, metered))?.at(-1);
      if (entry === undefined) return undefined;
      this.#forget(entry);
      if (entry.connection.usable) return entry.connection;
      entry.connection.destroy();
    }
  }

  /** @throws DfpeerError DFP_PARENT_UNREACHABLE; the transfer's reason to abort */
  async connect(endpoint: Endpoint, transfer: Transfer): Promise<PieceConnection> {
    const connection = new PieceConnection(endpoint, this.#buffer, {
      metered: transfer.metered,
      lookup: this.#lookup,
      clock: this.#clock,
    });
    await connection.connected(transfer.waitingFor, transfer.signal, this.#connectTimeoutMs);
    return connection;
  }

  /** Keeps the connection for another request, or closes it when there are enough. */
  giveBack(connection: PieceConnection): void {
    const key = keyOf(connection.endpoint, connection.metered);
    const entries = this.#idle.get(key) ?? [];
    if (!connection.usable || entries.length >= MAX_IDLE_PER_ENDPOINT || this.#idleCount >= MAX_IDLE_CONNECTIONS)
      return connection.destroy();
    const entry: IdleConnection = {
      connection,
      cancelTimer: this.#clock.after(
        IDLE_CONNECTION_MS,
        () => {
          this.#forget(entry);
          connection.destroy();
        },
        { unref: true },
      ),
    };
    connection.resume();
    entries.push(entry);
    this.#idle.set(key, entries);
    this.#idleCount++;
  }

  close(): void {
    for (const entry of [...this.#idle.values()].flat()) {
      this.#forget(entry);
      entry.connection.destroy();
    }
  }

  #forget(entry: IdleConnection): void {
    entry.cancelTimer();
    const key = keyOf(entry.connection.endpoint, entry.connection.metered);
    const left = (this.#idle.get(key) ?? []).filter((other) => other !== entry);
    if (left.length === 0) this.#idle.delete(key);
    else this.#idle.set(key, left);
    this.#idleCount--;
  }
}

function keyOf({ host, port }: Endpoint, metered: boolean): string {
  return `${host} ${port} ${metered}`;
}
