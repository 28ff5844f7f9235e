import { type Clock } from '../../core/clock.js';
import { sleep } from '../../core/deadline.js';
import type { Logger } from '../../core/logger.js';
import type { DfpeerAdminHandlers } from '../../generated/dfpeer/v1/DfpeerAdmin.js';
import type { SetLimitsRequest__Output } from '../../generated/dfpeer/v1/SetLimitsRequest.js';
import { readCaller } from '../../grpc/caller.js';
import { type SendMessage, serverStream, unary } from '../../grpc/handlers.js';
import { DfpeerAdmin } from '../../grpc/protos.js';
import type { GrpcService } from '../../grpc/server.js';
import type { CallerRights } from '../caller-rights.js';
import type { BandwidthLimits } from '../daemon-settings.js';
import { LIMIT_NAMES } from '../limits-in-force.js';
import type { DaemonView } from '../status/daemon-view.js';
import type { DownloadState } from '../status/download-state.js';
import { toPeerHost } from './peer-host-message.js';

export interface AdminServiceDependencies {
  view: DaemonView;
  /** What is not named stays; undefined takes a limit away. Takes effect at once. */
  changeLimits(changes: Partial<BandwidthLimits>): void;
  rights: CallerRights;
  logger: Logger;
  clock: Clock;
}

/** Between two looks at a download that is watched. */
export const WATCH_INTERVAL_MS = 250;

/** dfpeer.v1.DfpeerAdmin, for operators on this host: the unix socket only. */
export function makeAdminService({ view, changeLimits, rights, logger, clock }: AdminServiceDependencies): GrpcService {
  const implementation: DfpeerAdminHandlers = {
    GetDaemon: unary('google.protobuf.Empty', logger, async () => ({
      ...view.facts,
      nowMs: view.now,
      schedulers: view.schedulers(),
    })),
    ListTasks: unary('dfpeer.v1.ListTasksRequest', logger, async (request) => {
      const { entries: tasks, total } = view.tasks(request.limit, request.idPrefix);
      return { tasks, total, storedBytes: view.storedBytes };
    }),
    ListTransfers: unary('dfpeer.v1.ListTransfersRequest', logger, async ({ limit }) => {
      const { entries: transfers, total } = view.transfers(limit);
      return { transfers, total };
    }),
    ListPeers: unary('dfpeer.v1.ListPeersRequest', logger, async ({ limit }) => {
      const { entries, total } = view.peers(limit);
      return { peers: entries.map(toPeerHost), total };
    }),
    WatchDownload: serverStream('dfpeer.v1.WatchDownloadRequest', logger, async ({ taskId }, send, _call, signal) => {
      await watchDownload(
        () => view.download(taskId),
        send,
        (ms) => sleep(ms, signal, clock),
      );
      return undefined;
    }),
    GetLimits: unary('google.protobuf.Empty', logger, async () => view.limits),
    SetLimits: unary('dfpeer.v1.SetLimitsRequest', logger, async (request, call) => {
      rights.assertMayAdministrate(readCaller(call.metadata));
      const changes = readChanges(request);
      changeLimits(changes);
      logger.info({ changes }, 'limits changed by an operator, until the configuration is read again');
      return view.limits;
    }),
  };
  return { name: 'dfpeer.v1.DfpeerAdmin', definition: DfpeerAdmin.service, implementation };
}

/** Ends with the download; one that does not move costs no messages. */
async function watchDownload(
  look: () => DownloadState | undefined,
  send: SendMessage<DownloadState>,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  let told: string | undefined;
  for (let state = look(); state !== undefined; state = look()) {
    const news = JSON.stringify(state);
    if (news !== told) await send(state);
    told = news;
    await pause(WATCH_INTERVAL_MS);
  }
}

/** 0 on the wire takes a limit away. */
function readChanges(request: SetLimitsRequest__Output): Partial<BandwidthLimits> {
  const changes: Partial<BandwidthLimits> = {};
  for (const name of LIMIT_NAMES) {
    const value = request[name];
    if (value !== undefined) changes[name] = value === 0 ? undefined : value;
  }
  return changes;
}
