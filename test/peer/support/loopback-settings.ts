import { toSettings } from '../../../src/cli/to-settings.js';
import { findPlaces } from '../../../src/config/places.js';
import { resolveDaemonConfig } from '../../../src/config/resolve.js';
import type { DaemonSettings } from '../../../src/peer/daemon-settings.js';

const ANY_PORT = { ip: '127.0.0.1', port: 0 };

/** Of a daemon in this process: alone, and on ports that the system chooses. */
export async function loopbackSettings(home: string): Promise<DaemonSettings> {
  const places = findPlaces({ env: { DFPEER_HOME: home }, uid: 1, home: '/' });
  const flags = { schedulers: [], isLoopbackOnly: true, logLevel: 'info', logMaxFiles: 1, console: true } as const;
  const config = await resolveDaemonConfig({ ...flags, logMaxFileSizeBytes: 1e6 }, { places });
  const resolved = toSettings(config, '0');
  return {
    ...resolved,
    grpc: { ...resolved.grpc, ...ANY_PORT },
    http: ANY_PORT,
    vortex: ANY_PORT,
    metrics: ANY_PORT,
    health: ANY_PORT,
    embeddedScheduler: undefined,
    statusPage: undefined,
    fallBackToFreePorts: false,
  };
}
