import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { DfpeerError } from '../../core/errors.js';
import type { TaskId } from '../../core/task-id.js';
import type { DfdaemonDownloadHandlers } from '../../generated/dfdaemon/v2/DfdaemonDownload.js';
import { readCaller } from '../../grpc/caller.js';
import { type SendMessage, serverStream, unary } from '../../grpc/handlers.js';
import { CLEANS_UP_KEY, TASK_ID_KEY, WATCHES_KEY } from '../../grpc/metadata-keys.js';
import { DfdaemonDownload } from '../../grpc/protos.js';
import { refuseMethods } from '../../grpc/refuse-methods.js';
import type { GrpcService } from '../../grpc/server.js';
import type { CallerRights } from '../caller-rights.js';
import { assertWithinReach } from '../output/daemon-reach.js';
import type { BeginUse } from '../use-watch.js';
import {
  readAllowHardLink,
  readDownload,
  readOutputDirectory,
  readOutputMode,
  readRateLimit,
} from './download-message.js';
import { DownloadStream, type DownloadStreamDependencies } from './download-stream.js';
import { REFUSED_DOWNLOAD_METHODS, STANDARD_TASKS_ONLY } from './refused-methods.js';
import { toLocalTask } from './task-messages.js';
import { deleteLocalTask, makeTaskMethods, type TaskMethodsDependencies } from './task-methods.js';

/** For a dfget that was stopped, or whose disk is slow: of one that has gone the kernel tells, and most calls have a deadline of their own. */
export const LOCAL_READER_TIMEOUT_MS = 24 * 60 * 60 * 1000;

export interface DownloadServiceDependencies extends DownloadStreamDependencies, TaskMethodsDependencies {
  /** dfget's DeleteHost: this host leaves its schedulers. */
  leaveSchedulers(): Promise<void>;
  rights: CallerRights;
  beginUse: BeginUse;
  /** Throws DFP_BLOCKED for a download on the cluster's block list. */
  assertAllowed(request: { application: string; url: string; tag: string; priority: number }): void;
}

/** dfdaemon.v2.DfdaemonDownload, for clients on this host: the unix socket only (docs/WIRE.md 3). */
export function makeDownloadService(dependencies: DownloadServiceDependencies): GrpcService {
  const { logger, store, rights, clock } = dependencies;
  const implementation: DfdaemonDownloadHandlers = {
    DownloadTask: serverStream(
      'dfdaemon.v2.DownloadTaskRequest',
      logger,
      async (request, send, call, signal) => {
        // Told to every call, also when its last byte has left: a slow reader may need longer than the download.
        call.once('cancelled', dependencies.beginUse());
        if (request.download === null) throw new DfpeerError('DFP_INVALID_ARGUMENT', 'download must be set');
        const client = readDownload(request.download);
        client.request.rateLimitBytesPerSecond = readRateLimit(call.metadata);
        client.allowHardLink = readAllowHardLink(call.metadata);
        client.outputMode = readOutputMode(call.metadata);
        dependencies.assertAllowed(client.request);
        if (client.outputPath !== undefined) {
          rights.assertMayWrite(readCaller(call.metadata));
          await assertWithinReach(client.outputPath, readOutputDirectory(call.metadata));
        }
        const { taskId } = client.request;
        return new DownloadStream(dependencies, client, afterInitialMetadata(call, taskId, send), signal).run();
      },
      { timeoutMs: LOCAL_READER_TIMEOUT_MS, clock },
    ),
    ...makeTaskMethods(dependencies, (call) => rights.assertMayAdministrate(readCaller(call.metadata))),
    ListLocalTasks: unary('dfdaemon.v2.ListLocalTasksRequest', logger, async () => ({
      tasks: store.tasks().map((task) => toLocalTask(task, dependencies.uploadingCount(task.taskId))),
    })),
    DeleteLocalTask: unary('dfdaemon.v2.DeleteLocalTaskRequest', logger, async ({ taskId }, call) => {
      rights.assertMayAdministrate(readCaller(call.metadata));
      await deleteLocalTask(store, taskId);
      return {};
    }),
    DeleteHost: unary('google.protobuf.Empty', logger, async (_request, call) => {
      rights.assertMayAdministrate(readCaller(call.metadata));
      await dependencies.leaveSchedulers();
      return {};
    }),
  };
  const service = { name: 'dfdaemon.v2.DfdaemonDownload', definition: DfdaemonDownload.service, implementation };
  return refuseMethods(service, REFUSED_DOWNLOAD_METHODS, STANDARD_TASKS_ONLY);
}

/**
 * Only with the first message, unless the client watches: Dragonfly's dfget shows a failure's reason when it comes as the first thing, and
 * later on only if there is an output to remove.
 */
function afterInitialMetadata<Response>(
  call: Pick<ServerWritableStream<unknown, Response>, 'metadata' | 'sendMetadata'>,
  taskId: TaskId,
  send: SendMessage<Response>,
): SendMessage<Response> {
  const metadata = new Metadata();
  metadata.set(CLEANS_UP_KEY, 'true');
  if (call.metadata.get(WATCHES_KEY).length > 0) {
    metadata.set(TASK_ID_KEY, taskId);
    call.sendMetadata(metadata);
    return send;
  }
  let isSent = false;
  return async (message, isLarge) => {
    if (!isSent) call.sendMetadata(metadata);
    isSent = true;
    await send(message, isLarge);
  };
}
