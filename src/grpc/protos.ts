import { fileURLToPath } from 'node:url';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as AdminTypes } from '../generated/admin.js';
import type { ProtoGrpcType as DfdaemonTypes } from '../generated/dfdaemon.js';
import type { ProtoGrpcType as ManagerTypes } from '../generated/manager.js';
import type { ProtoGrpcType as PeerTypes } from '../generated/peer.js';
import type { ProtoGrpcType as SchedulerTypes } from '../generated/scheduler.js';

// dist/src/grpc → the package's root
const PROTO_DIRECTORY = fileURLToPath(new URL('../../../proto', import.meta.url));

const OWN_PROTOS = ['dfpeer/v1/admin.proto', 'dfpeer/v1/peer.proto'];

/** All messages and services. Lengths are numbers: check them with Number.isSafeInteger at the edge. */
export const packageDefinition: PackageDefinition = loadSync(
  [...['common', 'errordetails', 'dfdaemon', 'scheduler', 'manager'].map((name) => `v2/${name}.proto`), ...OWN_PROTOS],
  { includeDirs: [PROTO_DIRECTORY], keepCase: false, longs: Number, defaults: true, oneofs: true },
);

/** For reflection, which decodes the files of every entry. Each has all of them, and to decode them once is enough. */
export const reflectedDefinition: PackageDefinition = Object.fromEntries(Object.entries(packageDefinition).slice(0, 1));

const loaded = loadPackageDefinition(packageDefinition) as unknown as DfdaemonTypes &
  SchedulerTypes &
  ManagerTypes &
  AdminTypes &
  PeerTypes;

export const DfdaemonUpload = loaded.dfdaemon.v2.DfdaemonUpload;
export const DfdaemonDownload = loaded.dfdaemon.v2.DfdaemonDownload;
export const Scheduler = loaded.scheduler.v2.Scheduler;
export const Manager = loaded.manager.v2.Manager;
export const DfpeerAdmin = loaded.dfpeer.v1.DfpeerAdmin;
export const DfpeerPeer = loaded.dfpeer.v1.DfpeerPeer;
