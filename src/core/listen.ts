import type { Server } from 'node:net';
import { atMostEvery, type Clock, systemClock } from './clock.js';
import { DfpeerError, errnoOf } from './errors.js';
import { formatHostPort } from './host-port.js';
import type { Logger } from './logger.js';

/** Where no descriptor is left every attempt to accept fails, many a second. */
const ACCEPT_WARNING_INTERVAL_MS = 60_000;

/** Port 0 stands for any free one. */
export type ListenTarget = { ip: string; port: number } | { socketPath: string };

export interface ListenOptions {
  /** Told of connections that can't be accepted later. */
  logger: Logger;
  clock?: Clock | undefined;
  /** What else can be done when the target is taken, such as a key to set. */
  wayOut?: string | undefined;
}

/**
 * Resolves with the port, which the system chose if it was 0; with 0 for a socket. A server that listens stays, whatever
 * becomes of single connections.
 * @throws DfpeerError DFP_LISTEN
 */
export async function listen(
  server: Server,
  target: ListenTarget,
  { logger, clock = systemClock, wayOut }: ListenOptions,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void => reject(listenError(target, cause, wayOut));
    server.once('error', onError);
    server.listen('socketPath' in target ? { path: target.socketPath } : { host: target.ip, port: target.port }, () => {
      server.off('error', onError);
      outliveAcceptErrors(server, target, logger, clock);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Resolves when the server is closed, also when it never listened. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Without a listener such an error would be an exception that ends the process. */
function outliveAcceptErrors(server: Server, target: ListenTarget, logger: Logger, clock: Clock): void {
  const warn = atMostEvery(clock, ACCEPT_WARNING_INTERVAL_MS, (err: Error) =>
    logger.error({ err, address: describe(target) }, 'a listener failed to accept connections'),
  );
  server.on('error', warn);
}

function describe(target: ListenTarget): string {
  return 'socketPath' in target ? target.socketPath : formatHostPort(target.ip, target.port);
}

function listenError(target: ListenTarget, cause: Error, wayOut: string | undefined): DfpeerError {
  const errno = errnoOf(cause);
  const remedy = ('socketPath' in target ? socketRemedy : portRemedy)(errno);
  return new DfpeerError(
    'DFP_LISTEN',
    `can't listen on ${describe(target)} (${errno ?? cause.message}); ${remedy}${wayOut === undefined ? '' : `, or ${wayOut}`}`,
    { cause },
  );
}

function portRemedy(errno: string | undefined): string {
  switch (errno) {
    case 'EADDRINUSE':
      return 'another process has the port: stop it, or choose another port';
    case 'EACCES':
      return 'ports below 1024 need privileges: choose a higher one';
    default:
      return 'check that the address belongs to this machine';
  }
}

function socketRemedy(errno: string | undefined): string {
  return errno === 'EADDRINUSE'
    ? 'another process has the socket: stop it, or choose another path'
    : 'check that its directory exists and can be written to';
}
