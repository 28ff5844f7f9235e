import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../core/clock.js';
import { remoteIp } from '../../core/remote-ip.js';
import type { ServedTask } from '../piece-source.js';
import type { Serving } from '../serving.js';
import type { UploadOutcome } from '../transfer/upload.js';
import { ContentHead } from './content-head.js';
import { type PlainRequest, parsePlainRequest } from './plain-request.js';
import { planBlocks } from './plan-blocks.js';
import { planAnswer } from './plan.js';
import { type DownloadTarget, parseTarget } from './target.js';
import { entityTag } from './validator.js';

export interface FastLaneOptions {
  serving: Serving;
  maxHeadBytes: number;
  /** A connection must have begun its first request by then. */
  firstRequestTimeoutMs: number;
  /** And each further one after the answer before it. */
  keepAliveTimeoutMs: number;
  /** Takes a connection over for good, with what it has sent and got no answer to. */
  leave: (socket: Socket, unanswered: Buffer) => void;
  clock?: Clock;
}

interface FastAnswer {
  /** Rejects when what is stored of the task could not be told; the client has got nothing then. */
  sent: Promise<UploadOutcome>;
  /** No further one is wanted on this connection. */
  isLast: boolean;
}

/**
 * Answers what almost every request is: a plain one for stored bytes, or for a piece in blocks. Everything else leaves the lane, with its
 * connection, for the general HTTP server, which alone knows how to wait and to refuse. Spares half of a request's cost.
 */
export class FastLane {
  readonly #options: FastLaneOptions;
  readonly #head: ContentHead;
  readonly #connections = new Set<FastConnection>();
  #closing = false;

  constructor(options: FastLaneOptions) {
    this.#options = options;
    this.#head = new ContentHead(options.keepAliveTimeoutMs, options.clock ?? systemClock);
  }

  get closing(): boolean {
    return this.#closing;
  }

  enter(socket: Socket): void {
    const connection = new FastConnection(socket, this);
    this.#connections.add(connection);
    socket.setTimeout(this.#options.firstRequestTimeoutMs);
  }

  /** Ends connections between two requests now, and busy ones after their answer; new ones will be told why not. */
  closeIdle(): void {
    this.#closing = true;
    for (const connection of this.#connections) connection.windDown();
  }

  destroyAll(): void {
    for (const { socket } of this.#connections) socket.destroy();
  }

  /** Undefined: this is not for the fast lane. */
  answer(socket: Socket, bytes: Buffer): FastAnswer | undefined {
    const request = parsePlainRequest(bytes, this.#options.maxHeadBytes);
    const target = request === undefined ? undefined : parseTarget(request.target);
    if (request === undefined || target === undefined) return undefined;
    const task = this.#options.serving.tryOpen(target.taskId);
    if (task === undefined) return undefined;
    const sending = this.#send(socket, request, target, task);
    if (sending !== undefined) return { sent: sending.finally(() => task.release()), isLast: request.close };
    task.release();
    return undefined;
  }

  settled(connection: FastConnection): void {
    connection.socket.setTimeout(this.#options.keepAliveTimeoutMs);
  }

  left(connection: FastConnection, unanswered?: Buffer): void {
    this.#connections.delete(connection);
    if (unanswered !== undefined) this.#options.leave(connection.socket, unanswered);
  }

  #send(
    socket: Socket,
    request: PlainRequest,
    { peerId: childPeerId }: DownloadTarget,
    task: ServedTask,
  ): Promise<UploadOutcome> | undefined {
    const etag = entityTag(task);
    const asEver = planAnswer(request, { etag, contentLength: task.contentLength });
    const plan = planBlocks(asEver, task, request.blocksWish);
    if (plan.kind !== 'content' || plan.range.length === 0) return undefined;
    if (plan.blocks === undefined && !task.has(plan.range)) return undefined;
    const childIp = remoteIp(socket);
    return this.#options.serving.trySend(childIp, () => ({
      protocol: 'http',
      socket,
      task,
      range: plan.range,
      blocks: plan.blocks,
      childIp,
      childPeerId,
      traceParent: request.traceParent,
      head: this.#head.render(plan, task, etag, this.#options.serving.routeFor(socket), request.close),
    }));
  }
}

/** One connection for as long as it sends plain requests, one after the other. */
class FastConnection {
  readonly socket: Socket;
  readonly #lane: FastLane;
  #asked = false;
  #sending = false;
  /** The next answer, or the one under way, is the last. */
  #last = false;
  /** What came during an answer, after which nothing more is read. */
  #early: Buffer | undefined;

  constructor(socket: Socket, lane: FastLane) {
    this.socket = socket;
    this.#lane = lane;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('timeout', this.#closeIfIdle);
    socket.on('error', ignore).on('close', this.#onClose);
  }

  windDown(): void {
    if (!this.#asked) this.#leave(Buffer.alloc(0));
    else this.#closeIfIdle();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#sending) {
      this.#early = this.#early === undefined ? bytes : Buffer.concat([this.#early, bytes]);
      this.socket.pause();
      return;
    }
    const answer = this.#lane.answer(this.socket, bytes);
    if (answer === undefined) return this.#leave(bytes);
    this.#asked = true;
    this.#sending = true;
    this.#last ||= answer.isLast;
    answer.sent.then(this.#onSent, this.#onFailed);
  };

  readonly #onSent = ({ result }: UploadOutcome): void => {
    this.#sending = false;
    if (result !== 'complete') this.socket.destroy();
    else if (this.#last || this.#lane.closing) this.socket.destroySoon();
    else if (this.#early !== undefined) this.#goOn(this.#early);
    else this.#lane.settled(this);
  };

  readonly #onFailed = (): void => void this.socket.destroy();

  #goOn(early: Buffer): void {
    this.#early = undefined;
    this.socket.resume();
    this.#onData(early);
  }

  readonly #onEnd = (): void => {
    this.#last = true;
    if (!this.#sending) this.socket.destroySoon();
  };

  readonly #closeIfIdle = (): void => {
    if (!this.#sending) this.socket.destroy();
  };

  readonly #onClose = (): void => this.#lane.left(this);

  #leave(unanswered: Buffer): void {
    const { socket } = this;
    socket.pause();
    socket.setTimeout(0);
    socket.off('data', this.#onData).off('end', this.#onEnd).off('timeout', this.#closeIfIdle);
    socket.off('error', ignore).off('close', this.#onClose);
    this.#lane.left(this, unanswered);
  }
}

/** 'close' follows. */
const ignore = (): undefined => undefined;
