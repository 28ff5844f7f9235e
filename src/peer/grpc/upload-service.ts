import type { Metadata } from '@grpc/grpc-js';
import { DfpeerError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import { endingWith, TRACE_PARENT_HEADER, type Tracer } from '../../core/tracing.js';
import type { DfdaemonUploadHandlers } from '../../generated/dfdaemon/v2/DfdaemonUpload.js';
import { serverStream } from '../../grpc/handlers.js';
import { DfdaemonUpload } from '../../grpc/protos.js';
import { refuseMethods } from '../../grpc/refuse-methods.js';
import type { GrpcService } from '../../grpc/server.js';
import type { NetworkLoad } from '../host-load/network-load.js';
import { readSeedDownload } from './download-message.js';
import type { DownloadServiceDependencies } from './download-service.js';
import { DownloadStream } from './download-stream.js';
import { REFUSED_UPLOAD_METHODS, STANDARD_TASKS_ONLY } from './refused-methods.js';
import { syncHost } from './sync-host.js';
import { syncPieces, type SyncPiecesDependencies } from './sync-pieces.js';
import { makeTaskMethods } from './task-methods.js';

/** Calls whose grpc-timeout is meant for the response headers only. */
export const LONG_STREAMS: ReadonlySet<string> = new Set([
  '/dfdaemon.v2.DfdaemonUpload/SyncPieces',
  '/dfdaemon.v2.DfdaemonUpload/SyncHost',
]);

export interface UploadServiceDependencies
  extends DownloadServiceDependencies, Omit<SyncPiecesDependencies, 'awaited'> {
  networkLoad(): Promise<NetworkLoad>;
  logger: Logger;
  tracer: Tracer;
  /** Whether a caller may delete tasks or start downloads: a scheduler of ours, by its address. */
  isTrustedCaller(peerAddress: string): boolean;
  /** A complete task is announced again instead of being downloaded. */
  reannounce(taskId: string): Promise<void>;
}

/** dfdaemon.v2.DfdaemonUpload, for other peers and schedulers (docs/WIRE.md 2). Never takes a path. */
export function makeUploadService(dependencies: UploadServiceDependencies): GrpcService {
  const { logger, store, tracer } = dependencies;
  const forChildren: SyncPiecesDependencies = { ...dependencies, awaited: { count: 0 } };
  const assertTrusted = (peer: string, what: string): void => {
    if (!dependencies.isTrustedCaller(peer))
      throw new DfpeerError('DFP_BLOCKED', `${what} is only for this host's schedulers, and ${peer} is none`);
  };
  const implementation: DfdaemonUploadHandlers = {
    SyncPieces: serverStream('dfdaemon.v2.SyncPiecesRequest', logger, async (request, send, call, signal) => {
      const attributes = { 'task.id': request.taskId, 'child.host.id': request.hostId };
      const span = tracer.begin('tell pieces', attributes, readTraceParent(call.metadata));
      await endingWith(span, () => syncPieces(forChildren, request, send, call, signal));
      return undefined;
    }),
    SyncHost: serverStream('dfdaemon.v2.SyncHostRequest', logger, (_request, send, _call, signal) =>
      syncHost(() => dependencies.networkLoad(), send, signal),
    ),
    DownloadTask: serverStream('dfdaemon.v2.DownloadTaskRequest', logger, async (request, send, call, signal) => {
      assertTrusted(call.getPeer(), 'DownloadTask');
      if (request.download === null) throw new DfpeerError('DFP_INVALID_ARGUMENT', 'download must be set');
      const client = readSeedDownload(request.download);
      const stored = await store.settled(client.request.taskId);
      if (stored?.complete === true) {
        await dependencies.reannounce(client.request.taskId);
        return undefined;
      }
      return new DownloadStream(dependencies, client, send, signal).run();
    }),
    ...makeTaskMethods(dependencies, (call) => assertTrusted(call.getPeer(), 'DeleteTask')),
  };
  const service = { name: 'dfdaemon.v2.DfdaemonUpload', definition: DfdaemonUpload.service, implementation };
  return refuseMethods(service, REFUSED_UPLOAD_METHODS, STANDARD_TASKS_ONLY);
}

function readTraceParent(metadata: Metadata): string | undefined {
  const [text] = metadata.get(TRACE_PARENT_HEADER);
  return typeof text === 'string' ? text : undefined;
}
