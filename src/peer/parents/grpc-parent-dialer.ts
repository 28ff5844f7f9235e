import {
  credentials as grpcCredentials,
  Metadata,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientReadableStream,
} from '@grpc/grpc-js';
import { isIP } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import { abortReason } from '../../core/deadline.js';
import { DfpeerError } from '../../core/errors.js';
import { formatHostPort } from '../../core/host-port.js';
import { BLOCKS_HEADER, type BlocksWish } from '../../core/piece-blocks.js';
import { CONTENT_VERSION_HEADER } from '../../core/piece-header.js';
import { meansOneHost } from '../../core/special-networks.js';
import { TRACE_PARENT_HEADER } from '../../core/tracing.js';
import type { Host__Output } from '../../generated/common/v2/Host.js';
import type { SyncPiecesResponse__Output } from '../../generated/dfdaemon/v2/SyncPiecesResponse.js';
import { WITHIN_CLUSTER } from '../../grpc/channel-options.js';
import { isSameIp } from '../../grpc/peer-ip.js';
import { DfdaemonUpload, DfpeerPeer } from '../../grpc/protos.js';
import { fromGrpcError } from '../../grpc/status.js';
import type { CandidateParent } from '../../scheduler-client/scheduler-client.js';
import type { ParentEndpoint } from '../fetch/piece-fetcher.js';
import type { OffersRequest, ParentDialer, ParentLoad, PieceOffer } from './parent-dialer.js';
import { tellPieces } from './tell-pieces.js';

/** Initial metadata of a dfpeer parent's SyncPieces: it also serves pieces over HTTP, on this port. */
export const HTTP_PORT_HEADER = 'dfpeer-http-port';
/** A parent that doesn't answer the connection within this is unreachable. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** A parent's connection is pinged this often: a host that lost its power, or its line, tells nobody that it is gone. */
export const PING_INTERVAL_MS = 5_000;
/** Without an answer for so long the parent is gone. A full line delays it by seconds. */
export const PING_TIMEOUT_MS = 10_000;

type UploadClient = InstanceType<typeof DfdaemonUpload>;

/** Talks DfdaemonUpload to other peers, ours and Rust's. */
export class GrpcParentDialer implements ParentDialer {
  readonly #hostId: string;
  readonly #credentials: ChannelCredentials;
  readonly #clock: Clock;
  readonly #channelOptions: ChannelOptions;
  /** One client a stream, as parents come and go; closed with it. */
  readonly #clients = new Set<UploadClient>();

  constructor(options: {
    hostId: string;
    credentials?: ChannelCredentials;
    clock?: Clock;
    pingIntervalMs?: number;
    pingTimeoutMs?: number;
  }) {
    this.#hostId = options.hostId;
    this.#credentials = options.credentials ?? grpcCredentials.createInsecure();
    this.#clock = options.clock ?? systemClock;
    this.#channelOptions = {
      ...WITHIN_CLUSTER,
      'grpc.keepalive_time_ms': options.pingIntervalMs ?? PING_INTERVAL_MS,
      'grpc.keepalive_timeout_ms': options.pingTimeoutMs ?? PING_TIMEOUT_MS,
    };
  }

  async *syncPieces(
    parent: CandidateParent,
    request: OffersRequest,
    signal: AbortSignal,
    onAnswer?: () => void,
  ): AsyncGenerator<PieceOffer> {
    const { taskId, pieces, traceParent } = request;
    const call = (client: UploadClient): ClientReadableStream<SyncPiecesResponse__Output> =>
      client.syncPieces({ hostId: this.#hostId, taskId, interestedPieceNumbers: [...pieces] }, askedWith(traceParent));
    let httpPort: number | undefined;
    let contentVersion: string | undefined;
    let stopTelling: (() => void) | undefined;
    const onMetadata = (metadata: Metadata, client: UploadClient): void => {
      onAnswer?.();
      const port = Number(metadata.get(HTTP_PORT_HEADER)[0]);
      if (Number.isInteger(port) && port > 0 && port < 65536) httpPort = port;
      if (httpPort !== undefined) stopTelling = this.#tellPieces(client, request);
      const [version] = metadata.get(CONTENT_VERSION_HEADER);
      if (typeof version === 'string') contentVersion = version;
    };
    try {
      for await (const message of this.#stream(parent, 'its pieces', call, signal, onMetadata))
        yield { ...toOffer(parent, message, httpPort), contentVersion };
    } finally {
      stopTelling?.();
    }
  }

  async *syncHost(
    parent: CandidateParent,
    request: { peerId: string },
    signal: AbortSignal,
  ): AsyncGenerator<ParentLoad> {
    const call = (client: UploadClient): ClientReadableStream<Host__Output> =>
      client.syncHost({ hostId: this.#hostId, peerId: request.peerId }, new Metadata());
    for await (const { network } of this.#stream(parent, 'its load', call, signal))
      if (network !== null && network !== undefined)
        yield { maxTxBitsPerSecond: network.maxTxBandwidth, txBitsPerSecond: network.txBandwidth ?? 0 };
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#clients.clear();
  }

  /** To one of our own, over the same connection. */
  #tellPieces(client: UploadClient, { taskId, held }: OffersRequest): () => void {
    const teller = new DfpeerPeer('', this.#credentials, { channelOverride: client.getChannel() });
    return tellPieces(teller, { hostId: this.#hostId, taskId, held, clock: this.#clock });
  }

  async *#stream<T>(
    parent: CandidateParent,
    what: string,
    open: (client: UploadClient) => ClientReadableStream<T>,
    signal: AbortSignal,
    onMetadata?: (metadata: Metadata, client: UploadClient) => void,
  ): AsyncGenerator<T> {
    const address = formatHostPort(parent.ip, parent.port);
    const doing = `parent ${parent.peerId} at ${address} did not tell ${what}`;
    const client = new DfdaemonUpload(address, this.#credentials, this.#channelOptions);
    this.#clients.add(client);
    let onAbort: (() => void) | undefined;
    try {
      await waitForReady(client, signal);
      const call = open(client);
      onAbort = () => call.cancel();
      signal.addEventListener('abort', onAbort, { once: true });
      if (onMetadata !== undefined) call.on('metadata', (metadata) => onMetadata(metadata, client));
      for await (const message of call) yield message as T;
    } catch (error) {
      if (signal.aborted) return;
      throw fromGrpcError(error, 'DFP_PARENT_UNREACHABLE', doing);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
      this.#clients.delete(client);
      client.close();
    }
  }
}

function askedWith(traceParent: string | undefined): Metadata {
  const metadata = new Metadata();
  // Pieces may be offered that are still on their way to the parent.
  const wish: BlocksWish = 'arriving';
  metadata.set(BLOCKS_HEADER, wish);
  if (traceParent !== undefined) metadata.set(TRACE_PARENT_HEADER, traceParent);
  return metadata;
}

async function waitForReady(client: UploadClient, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal, 'the connection'));
    signal.addEventListener('abort', onAbort, { once: true });
    client.waitForReady(Date.now() + CONNECT_TIMEOUT_MS, (error) => {
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}

/** dfpeer parents are asked over HTTP, all others over vortex; one that names no port gets vortex on its gRPC port (docs/WIRE.md 2.4). */
function toOffer(
  parent: CandidateParent,
  message: SyncPiecesResponse__Output,
  httpPort: number | undefined,
): PieceOffer {
  const host = message.ip !== '' ? message.ip : parent.ip;
  const port = httpPort ?? message.tcpPort ?? parent.port;
  // A parent may not have us ask the neighbours of this host, nor a cloud's metadata.
  const isReachable = isSameIp(host, parent.ip) || !meansOneHost(host);
  const isPlace = isIP(host) !== 0 && isReachable && port > 0 && port < 65_536;
  const valid = isPlace && Number.isSafeInteger(message.offset) && Number.isSafeInteger(message.length);
  if (!valid)
    throw new DfpeerError(
      'DFP_PARENT_PROTOCOL',
      `parent ${parent.peerId} sent a piece that can't be: ip ${JSON.stringify(host)}, port ${port}, offset ${message.offset}, length ${message.length}`,
    );
  const endpoint: ParentEndpoint = { protocol: httpPort === undefined ? 'vortex' : 'http', host, port };
  return { number: message.number, offset: message.offset, length: message.length, endpoint };
}
