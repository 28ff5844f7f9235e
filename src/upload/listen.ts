import type { Server } from 'node:net';
import { DfpeerError, errnoOf } from '../core/errors.js';

/** Resolves with the port, which the system chose if it was 0. @throws DFP_LISTEN */
export async function listen(server: Server, ip: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const onError = (cause: Error): void => reject(listenError(ip, port, cause));
    server.once('error', onError);
    server.listen({ host: ip, port }, () => {
      server.off('error', onError);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** Resolves when the server is closed, also when it never listened. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

function listenError(ip: string, port: number, cause: Error): DfpeerError {
  const errno = errnoOf(cause);
  const remedy =
    errno === 'EADDRINUSE'
      ? 'another process has the port: stop it, or choose another port'
      : errno === 'EACCES'
        ? 'ports below 1024 need privileges: choose a higher one'
        : 'check that the address belongs to this machine';
  return new DfpeerError('DFP_LISTEN', `can't listen on ${ip}:${port} (${errno ?? cause.message}); ${remedy}`, {
    cause,
  });
}
