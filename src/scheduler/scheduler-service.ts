import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { SchedulerHandlers } from '../generated/scheduler/v2/Scheduler.js';
import type { AnnounceHostRequest__Output } from '../generated/scheduler/v2/AnnounceHostRequest.js';
import { unary } from '../grpc/handlers.js';
import { toGrpcError } from '../grpc/status.js';
import { AnnouncePeerStream, type AnnouncePeerCall } from './announce-peer-stream.js';
import type { ScheduleDecision, SchedulerCore } from './scheduler-core.js';
import { toHostAnnouncement } from './wire-input.js';
import { WireOutput } from './wire-output.js';

export interface SchedulerServiceOptions {
  core: SchedulerCore;
  logger: Logger;
  clock?: Clock;
  onDecision?: (kind: ScheduleDecision['kind']) => void;
}

/** scheduler.v2.Scheduler on top of {@link SchedulerCore}: validates, translates, keeps count of the streams (docs/WIRE.md 1.2). */
export class SchedulerService {
  readonly handlers: SchedulerHandlers;
  readonly #core: SchedulerCore;
  readonly #options: SchedulerServiceOptions;
  readonly #output = new WireOutput();
  readonly #streams = new Set<AnnouncePeerStream>();

  constructor(options: SchedulerServiceOptions) {
    const { core, logger } = options;
    const output = this.#output;
    this.#core = core;
    this.#options = options;
    this.handlers = {
      AnnounceHost: unary('scheduler.v2.AnnounceHostRequest', logger, (request) => this.#announceHost(request)),
      AnnouncePeer: (call) => this.#openStream(call),
      ListHosts: unary('scheduler.v2.ListHostsRequest', logger, ({ type }) => ({
        hosts: [...core.cluster.hosts.values()]
          .filter((host) => type === undefined || host.type === type)
          .map((host) => output.host(host)),
      })),
      DeleteHost: unary('scheduler.v2.DeleteHostRequest', logger, ({ hostId }) => {
        core.deleteHost(hostId);
        return {};
      }),
      StatPeer: unary('scheduler.v2.StatPeerRequest', logger, ({ peerId }) => output.peer(core.peer(peerId))),
      DeletePeer: unary('scheduler.v2.DeletePeerRequest', logger, ({ peerId }) => {
        core.deletePeer(peerId);
        return {};
      }),
      StatTask: unary('scheduler.v2.StatTaskRequest', logger, ({ taskId }) => output.task(core.task(taskId))),
      DeleteTask: unary('scheduler.v2.DeleteTaskRequest', logger, ({ hostId, taskId }) => {
        core.deleteTask(hostId, taskId);
        return {};
      }),
    };
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** As {@link SchedulerCore.collectGarbage}. */
  collectGarbage(unheardMs: number): void {
    this.#core.collectGarbage(unheardMs);
    for (const stream of [...this.#streams]) stream.failIfOrphaned();
  }

  /** Ends every stream; their clients go on without a scheduler. */
  stop(): void {
    const error = new DfpeerError('DFP_SHUTTING_DOWN', 'the embedded scheduler is shutting down');
    for (const stream of [...this.#streams]) stream.fail(error);
  }

  #announceHost(request: AnnounceHostRequest__Output): object {
    const { host } = request;
    // Validation has refused a request without a host.
    if (host !== null) this.#output.remember(this.#core.announceHost(toHostAnnouncement(host, request)), host);
    return {};
  }

  #openStream(call: AnnouncePeerCall): void {
    const { clock = systemClock, logger, onDecision = () => undefined } = this.#options;
    const { maxStreams } = this.#core.limits;
    if (this.#streams.size >= maxStreams) {
      const error = new DfpeerError(
        'DFP_LIMIT',
        `the embedded scheduler serves at most ${maxStreams} downloads at once`,
      );
      call.emit('error', toGrpcError(error));
      return;
    }
    const stream = new AnnouncePeerStream(call, {
      core: this.#core,
      output: this.#output,
      clock,
      logger,
      onDecision,
      onClosed: (closed) => this.#streams.delete(closed),
    });
    this.#streams.add(stream);
  }
}
