import type { Server } from 'node:net';
import { DfpeerError, errnoOf } from './errors.js';
import { formatHostPort } from './host-port.js';

/** Port 0: any free one. */
export type ListenTarget = { ip: string; port: number } | { socketPath: string };

/**
 * Resolves with the port, which the system chose if it was 0; with 0 for a socket.
 * @param wayOut what else can be done when the target is taken, such as a key to set
 * @throws DfpeerError DFP_LISTEN
 */
export async function listen(server: Server, target: ListenTarget, wayOut?: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void => reject(listenError(target, cause, wayOut));
    server.once('error', onError);
    server.listen('socketPath' in target ? { path: target.socketPath } : { host: target.ip, port: target.port }, () => {
      server.off('error', onError);
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

function listenError(target: ListenTarget, cause: Error, wayOut: string | undefined): DfpeerError {
  const isSocket = 'socketPath' in target;
  const shown = isSocket ? target.socketPath : formatHostPort(target.ip, target.port);
  const errno = errnoOf(cause);
  const remedy = (isSocket ? socketRemedy : portRemedy)(errno);
  return new DfpeerError(
    'DFP_LISTEN',
    `can't listen on ${shown} (${errno ?? cause.message}); ${remedy}${wayOut === undefined ? '' : `, or ${wayOut}`}`,
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
