import { findPlaces, type Places, storeDirectoryIn } from '../config/places.js';
import type { LogLevel } from '../core/log-level.js';
import { findNotedSocket } from '../peer/socket-note.js';
import { FoundDaemon, tryDaemon } from './daemon-connection.js';

/** A daemon that dfget starts ends after so long without work. */
const DEFAULT_ALIVE_TIME = '5m';

/** A daemon that answers: the one named, the user's own, the system's; or one started now, which logs at `logLevel`. */
export async function findDaemon(
  endpoint: string | undefined,
  { onStart, signal, logLevel }: { onStart: () => void; signal: AbortSignal; logLevel: LogLevel | undefined },
): Promise<FoundDaemon> {
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
  const system = findPlaces({ env: {}, uid: 0, home: '/' });
  return (
    (await tryDaemon(socketPath, { logDir })) ??
    (await tryDaemon(await findNotedSocket(storeDirectoryIn(dataDir)))) ??
    (kind === 'user' ? tryDaemon(system.socketPath, { logDir: system.logDir }) : undefined)
  );
}
