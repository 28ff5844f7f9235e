import { rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Clock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { parseHostPort } from '../core/host-port.js';
import { parseTaskId } from '../core/task-id.js';
import type { Tracer } from '../core/tracing.js';
import { loadServerCredentials } from '../grpc/credentials.js';
import { isSameIp, peerIp } from '../grpc/peer-ip.js';
import { startGrpcServer } from '../grpc/server.js';
import type { DaemonSchedulerClient } from '../scheduler-client/index.js';
import { createSharedPortServer, type UploadService } from '../upload/index.js';
import type { StoredTaskAnnouncer } from './announcer.js';
import { CallerRights, identifyCaller } from './caller-rights.js';
import type { DaemonSettings, ListenAddress } from './daemon-settings.js';
import type { DownloadManager } from './download/download-manager.js';
import type { HostLoadSampler } from './host-load/host-load.js';
import { makeAdminService, type AdminServiceDependencies } from './grpc/admin-service.js';
import type { OfferPacing } from './swarm/offer-pacing.js';
import { makeDownloadService, type DownloadServiceDependencies } from './grpc/download-service.js';
import { makePeerService } from './grpc/peer-service.js';
import { LONG_STREAMS, makeUploadService } from './grpc/upload-service.js';
import type { HostIdentity } from './host-identity.js';
import type { DownloadMetrics } from './metrics.js';
import type { Shutdown } from './shutdown.js';
import { removeSocketNote, writeSocketNote } from './socket-note.js';
import type { TaskStore } from './store/task-store.js';
import { grantAccess, prepareSocketPath } from './unix-socket.js';
import type { BeginUse } from './use-watch.js';

/** Calls that still run when everything else has ended get this long. */
export const GRPC_STOP_GRACE_MS = 2_000;

export interface ServerDependencies {
  settings: DaemonSettings;
  store: TaskStore;
  manager: DownloadManager;
  metrics: DownloadMetrics;
  scheduler: DaemonSchedulerClient | undefined;
  announcer: StoredTaskAnnouncer;
  load: HostLoadSampler;
  uploads: UploadService;
  pacing: OfferPacing;
  tracer: Tracer;
  beginUse: BeginUse;
  identity: HostIdentity;
  /** Where this host serves pieces. */
  pieceAddress: { ip: string; httpPort: number; tcpPort: number };
  logger: Logger;
  clock: Clock;
}

/** DfdaemonUpload for peers and schedulers, on one port with vortex. Resolves with the port. */
export async function startUploadServer(
  dependencies: ServerDependencies,
  listen: ListenAddress,
  shutdown: Shutdown,
): Promise<number> {
  const { settings, store, scheduler, announcer, load, uploads, logger, clock } = dependencies;
  const service = makeUploadService({
    ...serviceDependencies(dependencies),
    pacing: dependencies.pacing,
    tracer: dependencies.tracer,
    address: () => dependencies.pieceAddress,
    networkLoad: () => load.network.sample(),
    isTrustedCaller: (peer) => isScheduler(scheduler, peer),
    reannounce: async (taskId) => {
      const task = store.get(parseTaskId(taskId));
      if (task !== undefined && scheduler !== undefined) await announcer.announce(scheduler, task);
    },
  });
  const server = await startGrpcServer({
    listen,
    services: [service, makePeerService({ pacing: dependencies.pacing, logger: logger.child({ module: 'grpc' }) })],
    longStreams: LONG_STREAMS,
    credentials: await loadServerCredentials(settings.grpc.tls),
    createListener: (onHttp2, maxConnections) =>
      createSharedPortServer({
        onHttp2,
        onVortex: (socket, first) => uploads.handleVortex(socket, first),
        maxConnections,
      }),
    limits: { requestsPerSecond: settings.grpc.requestsPerSecond },
    logger,
    clock,
  });
  shutdown.add('the upload gRPC server', () => server.stop(GRPC_STOP_GRACE_MS));
  return server.port;
}

/** DfdaemonDownload for clients of this user and DfpeerAdmin for its operator, on the unix socket. */
export async function startDownloadServer(
  dependencies: ServerDependencies,
  admin: Omit<AdminServiceDependencies, 'logger' | 'rights' | 'clock'>,
  shutdown: Shutdown,
): Promise<void> {
  const { socketPath, socketAccess, socketRequestsPerSecond } = dependencies.settings;
  await prepareSocketPath(socketPath);
  const server = await startGrpcServer({
    listen: { socketPath },
    services: [
      makeDownloadService(serviceDependencies(dependencies)),
      makeAdminService({
        ...admin,
        rights: callerRights(dependencies.settings),
        logger: dependencies.logger.child({ module: 'admin' }),
        clock: dependencies.clock,
      }),
    ],
    limits: { requestsPerSecond: socketRequestsPerSecond },
    identifyCaller,
    logger: dependencies.logger,
    clock: dependencies.clock,
  });
  shutdown.add('the download gRPC server', async () => {
    await server.stop(GRPC_STOP_GRACE_MS);
    await rm(socketPath, { force: true });
  });
  await grantAccess(socketPath, socketAccess);
  await noteSocket(dependencies, shutdown);
}

/** Those who look elsewhere find it so; a daemon that can't write it does its work all the same. */
async function noteSocket({ settings, logger }: ServerDependencies, shutdown: Shutdown): Promise<void> {
  const { socketPath, storeDirectory } = settings;
  try {
    await writeSocketNote(storeDirectory, { socketPath: resolve(socketPath), pid: process.pid });
    shutdown.add('the note of the socket', () => removeSocketNote(storeDirectory));
  } catch (error) {
    logger.warn({ err: error }, 'where this daemon listens could not be noted: dfget finds it at the usual place only');
  }
}

function serviceDependencies({
  settings,
  store,
  manager,
  metrics,
  scheduler,
  uploads,
  beginUse,
  identity,
  logger,
  clock,
}: ServerDependencies): DownloadServiceDependencies {
  return {
    store,
    manager,
    metrics,
    clock,
    scheduler,
    hostId: identity.description.id,
    logger: logger.child({ module: 'grpc' }),
    uploadingCount: (taskId) => uploads.list().filter((upload) => upload.taskId === taskId).length,
    beginUse,
    leaveSchedulers: async () => scheduler?.stop(),
    rights: callerRights(settings),
    assertAllowed: (download) => {
      if (scheduler?.isDownloadBlocked(download) !== true) return;
      metrics.blocked();
      throw new DfpeerError(
        'DFP_BLOCKED',
        `the cluster's block list forbids this download; ask its operators about application ${JSON.stringify(download.application)}, tag ${JSON.stringify(download.tag)} or the URL`,
      );
    },
  };
}

function callerRights({ socketAccess }: DaemonSettings): CallerRights {
  return new CallerRights({ daemonUid: process.geteuid?.() ?? 0, mode: socketAccess.mode });
}

/** Only a scheduler that we announce to may start downloads here or delete tasks. */
function isScheduler(scheduler: DaemonSchedulerClient | undefined, peer: string): boolean {
  const caller = peerIp(peer);
  if (isIP(caller) === 0 || scheduler === undefined) return false;
  return scheduler.addresses().some((address) => isSameIp(parseHostPort(address, 'a scheduler').host, caller));
}
