import { type Server, type Socket, createServer } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import type { ConnectionCaps } from '../../core/connection-caps.js';
import { DfpeerError } from '../../core/errors.js';
import { closeServer, listen } from '../../core/listen.js';
import { type Logger, silentLogger } from '../../core/logger.js';
import type { StoredPiece } from '../../core/piece.js';
import { TrafficType } from '../../core/piece.js';
import { remoteIp } from '../../core/remote-ip.js';
import type { RefusalCause, UploadMetrics } from '../metrics.js';
import type { ServedTask } from '../piece-source.js';
import { refusalOf } from '../refusal.js';
import type { Serving } from '../serving.js';
import { limitUnsent } from '../unsent-limit.js';
import { encodeContent, encodeError } from '../../vortex/encode.js';
import { type RequestPacket, VortexErrorCode, VortexTag } from '../../vortex/packets.js';
import { readRequest } from './request-reader.js';

/** A connection must have sent its request by then. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;
/** How long a client may keep its half of the connection after we have closed ours. */
export const DEFAULT_LINGER_TIMEOUT_MS = 10_000;

export interface VortexServerOptions {
  serving: Serving;
  caps: ConnectionCaps;
  metrics: UploadMetrics;
  requestTimeoutMs?: number;
  lingerTimeoutMs?: number;
  logger?: Logger;
  clock?: Clock;
}

/** The piece server that Dragonfly's Rust clients talk to: one request per connection (docs/WIRE.md 4.5). */
export class VortexServer {
  readonly #options: VortexServerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  constructor(options: VortexServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    // The client half-closes as soon as it has read the metadata: its FIN is no reason to stop sending.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.handle(socket));
  }

  /** Resolves with the port. @throws DFP_LISTEN */
  listen(ip: string, port: number): Promise<number> {
    return listen(this.#server, { ip, port }, { logger: this.#logger, clock: this.#clock });
  }

  /** Takes over a connection, also one that another listener accepted; it must be half-open capable. */
  handle(socket: Socket, firstBytes: Uint8Array = new Uint8Array(0)): void {
    socket.on('error', () => undefined);
    if (!this.#options.caps.accept(socket)) {
      this.#options.metrics.refused('vortex', 'connections');
      socket.destroy();
      return;
    }
    limitUnsent(socket);
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    void this.#serve(socket, firstBytes);
  }

  stopAccepting(): void {
    this.#server.close();
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await closeServer(this.#server);
  }

  async #serve(socket: Socket, firstBytes: Uint8Array): Promise<void> {
    const request = await this.#readRequest(socket, firstBytes);
    if (request === undefined) return void socket.destroy();
    await this.#options.serving.answering(() => this.#answerOrRefuse(socket, request));
    socket.end();
    const cancel = this.#clock.after(
      this.#options.lingerTimeoutMs ?? DEFAULT_LINGER_TIMEOUT_MS,
      () => socket.destroy(),
      { unref: true },
    );
    if (socket.destroyed) cancel();
    else socket.once('close', cancel);
  }

  async #answerOrRefuse(socket: Socket, request: RequestPacket): Promise<void> {
    try {
      await this.#answer(socket, request);
    } catch (thrown) {
      if (!socket.destroyed) this.#refuse(socket, request, thrown);
    }
  }

  /** A bad request gets no answer, as the original does it. */
  async #readRequest(socket: Socket, firstBytes: Uint8Array): Promise<RequestPacket | undefined> {
    const timeoutMs = this.#options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    try {
      return await readRequest(socket, firstBytes, timeoutMs, this.#clock);
    } catch (thrown) {
      this.#options.metrics.refused('vortex', refusalOf(thrown).cause === 'timed-out' ? 'timed-out' : 'bad-request');
      return undefined;
    }
  }

  async #answer(socket: Socket, request: RequestPacket): Promise<void> {
    const { serving } = this.#options;
    // Persistent and persistent-cache pieces are not stored here.
    if (request.tag !== VortexTag.DOWNLOAD_PIECE) throw pieceNotFound(request);
    const task = serving.open(request.taskId);
    try {
      await this.#sendPiece(socket, request, task);
    } finally {
      task.release();
    }
  }

  async #sendPiece(socket: Socket, request: RequestPacket, task: ServedTask): Promise<void> {
    const { serving } = this.#options;
    const slice = task.slice(request.pieceNumber);
    if (slice === undefined) throw pieceNotFound(request);
    await serving.available(task, slice, socket).catch((thrown: unknown) => {
      // The last piece of a content whose length nobody knew is shorter than what was waited for.
      if (task.piece(request.pieceNumber) === undefined) throw thrown;
    });
    const piece = task.piece(request.pieceNumber);
    if (piece === undefined) throw pieceNotFound(request);
    const childIp = remoteIp(socket);
    const outcome = await serving.send(childIp, socket, () => ({
      protocol: 'vortex',
      socket,
      task,
      childIp,
      childPeerId: '',
      head: encodePieceHead(piece),
      range: { offset: piece.offset, length: piece.length },
    }));
    if (outcome.result !== 'complete') socket.destroy();
  }

  #refuse(socket: Socket, request: RequestPacket, thrown: unknown): void {
    const { cause, text, error } = refusalOf(thrown);
    if (cause === 'internal') this.#logger.error({ err: error }, 'a vortex request failed');
    this.#options.metrics.refused('vortex', cause);
    // The original says the same of a task and of a piece that it doesn't have.
    const isMissing = error.code === 'DFP_TASK_NOT_FOUND' || error.code === 'DFP_PIECE_NOT_FOUND';
    socket.write(encodeError(errorCodeOf(cause), isMissing ? pieceNotFound(request).message : text));
  }
}

function encodePieceHead(piece: StoredPiece): Buffer {
  return encodeContent({
    number: piece.number,
    offset: piece.offset,
    length: piece.length,
    digest: piece.digest,
    parentId: piece.parentId ?? '',
    trafficType: TrafficType.REMOTE_PEER,
    costSeconds: Math.max(0, Math.floor(piece.costMs / 1000)),
    createdAtSeconds: Math.floor(piece.createdAtMs / 1000),
  });
}

function pieceNotFound(request: RequestPacket): DfpeerError {
  return new DfpeerError('DFP_PIECE_NOT_FOUND', `piece ${request.taskId}-${request.pieceNumber} not found`);
}

function errorCodeOf(cause: RefusalCause): number {
  if (cause === 'not-found' || cause === 'not-available') return VortexErrorCode.NOT_FOUND;
  return cause === 'bad-request' ? VortexErrorCode.INVALID_ARGUMENT : VortexErrorCode.INTERNAL;
}
