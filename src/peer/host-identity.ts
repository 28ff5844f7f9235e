import { makeHostId, makePeerId } from '../core/ids.js';
import type { HostDescription } from '../scheduler-client/index.js';
import type { DaemonSettings } from './daemon-settings.js';

/** Who we are to schedulers and peers. */
export interface HostIdentity {
  description: HostDescription;
  newPeerId(): string;
}

/** The port is a wish until the server listens: set it then, before the first announcement. */
export function describeHost({ host, isSeed, disableShared, grpc }: DaemonSettings): HostIdentity {
  const { ip, hostname } = host;
  return {
    description: {
      id: makeHostId(ip, hostname, isSeed),
      type: isSeed ? 'seed' : 'normal',
      hostname,
      ip,
      port: grpc.port,
      // There is no proxy yet; 0 says so.
      proxyPort: 0,
      idc: host.idc,
      location: host.location,
      schedulerClusterId: host.schedulerClusterId,
      disableShared,
      name: host.name,
    },
    newPeerId: () => makePeerId(ip, hostname, isSeed),
  };
}
