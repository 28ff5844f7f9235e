import { Client, connectivityState, Metadata, type ChannelCredentials, type ClientDuplexStream } from '@grpc/grpc-js';
import type { Peer__Output } from '../generated/common/v2/Peer.js';
import type { Task__Output } from '../generated/common/v2/Task.js';
import type { AnnounceHostRequest } from '../generated/scheduler/v2/AnnounceHostRequest.js';
import { WITHIN_CLUSTER } from '../grpc/channel-options.js';
import { Scheduler } from '../grpc/protos.js';
import { PARENTS_KEY, PUSHED_PARENTS } from '../grpc/metadata-keys.js';
import {
  ANNOUNCE_PEER_PATH,
  decodeIncoming,
  encodeOutgoing,
  type IncomingMessage,
  type OutgoingMessage,
} from './announce-codec.js';
import { checkHealth } from './health.js';
import { formatAddress, type SchedulerAddress } from './scheduler-address.js';
import { callUnary, type Callee, type UnaryMethod } from '../grpc/unary-call.js';

export const UNARY_TIMEOUT_MS = 10_000;
/** An answer with many candidates and their pieces stays far below this. */
export const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;
/** Go servers close connections that are pinged more often than every five minutes. */
const KEEPALIVE_INTERVAL_MS = 310_000;
export const KEEPALIVE_TIMEOUT_MS = 20_000;
const MAX_RECONNECT_BACKOFF_MS = 5000;

export type AnnounceCall = ClientDuplexStream<OutgoingMessage, IncomingMessage>;

export interface TaskReference {
  hostId: string;
  taskId: string;
}

export interface PeerReference extends TaskReference {
  peerId: string;
}

/** The calls of one scheduler, over one channel of its own. Every unary call has a deadline. */
export class SchedulerConnection {
  readonly address: string;
  readonly endpoint: SchedulerAddress;
  readonly callee: Callee;
  readonly #client: Client;
  #closed = false;

  constructor(endpoint: SchedulerAddress, credentials: ChannelCredentials) {
    this.endpoint = endpoint;
    this.address = formatAddress(endpoint);
    this.#client = new Client(this.address, credentials, channelOptions(endpoint.serverName));
    this.callee = {
      client: this.#client,
      name: `scheduler ${this.address}`,
      unreachable: 'DFP_SCHEDULER_UNREACHABLE',
      refused: 'DFP_SCHEDULER_REFUSED',
    };
  }

  checkHealth(signal: AbortSignal): Promise<void> {
    return checkHealth(this.callee, signal);
  }

  async announceHost(request: AnnounceHostRequest, signal?: AbortSignal): Promise<void> {
    await this.#call(Scheduler.service.AnnounceHost, request, { signal });
  }

  async deleteHost(hostId: string, timeoutMs: number): Promise<void> {
    await this.#call(Scheduler.service.DeleteHost, { hostId }, { timeoutMs });
  }

  /** Rejects with DFP_SCHEDULER_REFUSED, caused by NOT_FOUND, when the scheduler does not know the task. */
  statTask(reference: TaskReference, signal?: AbortSignal): Promise<Task__Output> {
    return this.#call(Scheduler.service.StatTask, reference, { signal });
  }

  statPeer(reference: PeerReference, signal?: AbortSignal): Promise<Peer__Output> {
    return this.#call(Scheduler.service.StatPeer, reference, { signal });
  }

  async deleteTask(reference: TaskReference, signal?: AbortSignal): Promise<void> {
    await this.#call(Scheduler.service.DeleteTask, reference, { signal });
  }

  async deletePeer(reference: PeerReference, signal?: AbortSignal): Promise<void> {
    await this.#call(Scheduler.service.DeletePeer, reference, { signal });
  }

  /** A new AnnouncePeer stream; it fails at once when the scheduler can't be reached. */
  announcePeer(): AnnounceCall {
    const metadata = new Metadata();
    metadata.set(PARENTS_KEY, PUSHED_PARENTS);
    return this.#client.makeBidiStreamRequest<OutgoingMessage, IncomingMessage>(
      ANNOUNCE_PEER_PATH,
      encodeOutgoing,
      decodeIncoming,
      metadata,
    );
  }

  /** Calls back each time an established connection is gone; a restarted scheduler shows here first. */
  onConnectionLost(callback: () => void): void {
    const channel = this.#client.getChannel();
    let state = channel.getConnectivityState(false);
    const watch = (): void => {
      if (this.#closed) return;
      channel.watchConnectivityState(state, Infinity, () => {
        const previous = state;
        state = channel.getConnectivityState(false);
        if (this.#closed || state === connectivityState.SHUTDOWN) return;
        if (previous === connectivityState.READY) callback();
        watch();
      });
    };
    watch();
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  #call<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    options: { timeoutMs?: number; signal?: AbortSignal | undefined },
  ): Promise<Response> {
    return callUnary(this.callee, method, request, { timeoutMs: UNARY_TIMEOUT_MS, ...options });
  }
}

/** Options of every channel to a scheduler or manager. */
export function channelOptions(serverName: string | undefined): Record<string, string | number> {
  return {
    ...WITHIN_CLUSTER,
    'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_BACKOFF_MS,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
  };
}
