import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DfpeerError } from '../core/errors.js';
import { findNotedSocket } from '../peer/socket-note.js';

const CONNECT_TIMEOUT_MS = 2_000;

/** A connection to whoever listens on the socket; undefined: nobody does. */
export async function connectTo(socketPath: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, fail);
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      // Until somebody uses it, its end must end nothing else.
      socket
        .off('error', fail)
        .off('timeout', fail)
        .on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** Whether somebody listens on the socket. */
export async function isListening(socketPath: string): Promise<boolean> {
  const socket = await connectTo(socketPath);
  socket?.destroy();
  return socket !== undefined;
}

/** The socket on which a daemon listens: the one where it should, or the one that whoever has the store has noted. Undefined: neither. */
export async function findListening(socketPath: string, storeDirectory: string): Promise<string | undefined> {
  if (await isListening(socketPath)) return socketPath;
  const noted = await findNotedSocket(storeDirectory);
  return noted !== undefined && (await isListening(noted)) ? noted : undefined;
}

export interface FoundDaemonFacts {
  /** The connection that found it. */
  first?: Socket;
  /** Where the log of such a daemon is unless it was told otherwise; undefined: nobody knows. */
  logDir?: string;
  /** This dfget started it. */
  isNew?: boolean;
}

/** A daemon that answered. */
export class FoundDaemon {
  readonly #socketPath: string;
  #first: Socket | undefined;
  readonly logDir: string | undefined;
  readonly isNew: boolean;

  constructor(socketPath: string, { first, logDir, isNew = false }: FoundDaemonFacts = {}) {
    this.#socketPath = socketPath;
    this.#first = first;
    this.logDir = logDir;
    this.isNew = isNew;
  }

  /** For people. */
  get name(): string {
    return `the daemon on ${this.#socketPath}`;
  }

  /** Resolves when it, or something between, has ended a connection on which nothing happens. */
  async untilGone(signal: AbortSignal): Promise<void> {
    const connection = await connectTo(this.#socketPath);
    if (connection === undefined) return;
    try {
      connection.resume();
      if (!connection.closed) await once(connection, 'close', { signal });
    } catch (error) {
      // What breaks has ended, too.
      if (signal.aborted) throw error;
    } finally {
      connection.destroy();
    }
  }

  /**
   * A connection for one call; the first call's was made already, and a small file takes hardly longer than making another. One that is gone
   * meanwhile is made anew.
   * @throws DfpeerError DFP_DAEMON_UNREACHABLE
   */
  async connect(): Promise<Socket> {
    const first = this.#first;
    this.#first = undefined;
    const socket = first?.destroyed === false ? first : await connectTo(this.#socketPath);
    if (socket !== undefined) return socket;
    throw new DfpeerError(
      'DFP_DAEMON_UNREACHABLE',
      `no daemon answers on ${this.#socketPath}; start one with dfdaemon, or leave out --endpoint`,
    );
  }
}

/** Undefined when nobody listens there. */
export async function tryDaemon(
  socketPath: string | undefined,
  facts: Omit<FoundDaemonFacts, 'first'> = {},
): Promise<FoundDaemon | undefined> {
  const first = socketPath === undefined ? undefined : await connectTo(socketPath);
  return socketPath === undefined || first === undefined ? undefined : new FoundDaemon(socketPath, { ...facts, first });
}
