import { findPlaces, SYSTEM_SOCKET_PATH } from '../config/places.js';
import { connectTo, FoundDaemon } from './daemon-connection.js';

/** A daemon that dfget starts ends after so long without work. */
const DEFAULT_ALIVE_TIME = '5m';

/** A daemon that answers: the one named, the user's own, the system's; or one started now. */
export async function findDaemon(
  endpoint: string | undefined,
  { onStart, signal }: { onStart: () => void; signal: AbortSignal },
): Promise<FoundDaemon> {
  if (endpoint !== undefined) return new FoundDaemon(endpoint);
  const places = findPlaces();
  const candidates = places.kind === 'user' ? [places.socketPath, SYSTEM_SOCKET_PATH] : [places.socketPath];
  for (const candidate of candidates) {
    const connection = await connectTo(candidate);
    if (connection !== undefined) return new FoundDaemon(candidate, connection);
  }
  onStart();
  // Most downloads find one that runs.
  const { startDaemon, startLogIn } = await import('./start-daemon.js');
  const aliveTime = process.env.DFPEER_ALIVE_TIME ?? DEFAULT_ALIVE_TIME;
  await startDaemon(places.socketPath, { startLog: startLogIn(places.logDir), aliveTime }, signal);
  return new FoundDaemon(places.socketPath);
}
