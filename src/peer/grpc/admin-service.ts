import type { Logger } from '../../core/logger.js';
import type { DfpeerAdminHandlers } from '../../generated/dfpeer/v1/DfpeerAdmin.js';
import type { SetLimitsRequest__Output } from '../../generated/dfpeer/v1/SetLimitsRequest.js';
import { readCaller } from '../../grpc/caller.js';
import { DfpeerAdmin } from '../../grpc/protos.js';
import type { GrpcService } from '../../grpc/server.js';
import { validateMessage } from '../../grpc/validation.js';
import type { CallerRights } from '../caller-rights.js';
import type { BandwidthLimits } from '../daemon-settings.js';
import { LIMIT_NAMES } from '../limits-in-force.js';
import type { DaemonView } from '../status/daemon-view.js';
import { unary } from './handlers.js';
import { toPeerHost } from './peer-host-message.js';

export interface AdminServiceDependencies {
  view: DaemonView;
  /** What is not named stays; undefined takes a limit away. Takes effect at once. */
  changeLimits(changes: Partial<BandwidthLimits>): void;
  rights: CallerRights;
  logger: Logger;
}

/** dfpeer.v1.DfpeerAdmin, for operators on this host: the unix socket only. */
export function makeAdminService({ view, changeLimits, rights, logger }: AdminServiceDependencies): GrpcService {
  const implementation: DfpeerAdminHandlers = {
    GetDaemon: unary(logger, async () => ({ ...view.facts, nowMs: view.now, schedulers: view.schedulers() })),
    ListTasks: unary(logger, async (request) => {
      validateMessage('dfpeer.v1.ListTasksRequest', request);
      const { entries: tasks, total } = view.tasks(request.limit, request.idPrefix);
      return { tasks, total, storedBytes: view.storedBytes };
    }),
    ListTransfers: unary(logger, async ({ limit }) => {
      const { entries: transfers, total } = view.transfers(limit);
      return { transfers, total };
    }),
    ListPeers: unary(logger, async ({ limit }) => {
      const { entries, total } = view.peers(limit);
      return { peers: entries.map(toPeerHost), total };
    }),
    GetLimits: unary(logger, async () => view.limits),
    SetLimits: unary(logger, async (request, call) => {
      rights.assertMayAdministrate(readCaller(call.metadata));
      validateMessage('dfpeer.v1.SetLimitsRequest', request);
      const changes = readChanges(request);
      changeLimits(changes);
      logger.info({ changes }, 'limits changed by an operator, until the configuration is read again');
      return view.limits;
    }),
  };
  return { name: 'dfpeer.v1.DfpeerAdmin', definition: DfpeerAdmin.service, implementation };
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
