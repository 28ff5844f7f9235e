import { findPlaces } from '../config/places.js';
import type { LogLevel } from '../core/log-level.js';
import { connectTo, FoundDaemon } from './daemon-connection.js';

/** A daemon that dfget starts ends after so long without work. */
const DEFAULT_ALIVE_TIME = '5m';

/** A daemon that answers: the one named, the user's own, the system's; or one started now, which logs at `logLevel`. */
export async function findDaemon(
  endpoint: string | undefined,
  { onStart, signal, logLevel }: { onStart: () => void; signal: AbortSignal; logLevel: LogLevel | undefined },
): Promise<FoundDaemon> {
  if (endpoint !== undefined) return new FoundDaemon(endpoint);
  const places = findPlaces();
  const system = findPlaces({ env: {}, uid: 0, home: '/' });
  for (const { socketPath, logDir } of places.kind === 'user' ? [places, system] : [places]) {
    const first = await connectTo(socketPath);
    if (first !== undefined) return new FoundDaemon(socketPath, { first, logDir });
  }
  onStart();
  // Most downloads find one that runs.
  const { startDaemon, startLogIn } = await import('./start-daemon.js');
  const aliveTime = process.env.DFPEER_ALIVE_TIME ?? DEFAULT_ALIVE_TIME;
  const { socketPath, logDir } = places;
  await startDaemon(socketPath, { startLog: startLogIn(logDir), aliveTime, logLevel }, signal);
  return new FoundDaemon(socketPath, { logDir, isNew: true });
}
