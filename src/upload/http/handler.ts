import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DfpeerError } from '../../core/errors.js';
import { type Logger, silentLogger } from '../../core/logger.js';
import { BLOCKS_HEADER, type BlocksWish, NO_BLOCKS, parseBlocksWish } from '../../core/piece-blocks.js';
import { remoteIp } from '../../core/remote-ip.js';
import { TRACE_PARENT_HEADER } from '../../core/tracing.js';
import type { RefusalCause, UploadMetrics } from '../metrics.js';
import type { ServedTask } from '../piece-source.js';
import { refusalOf } from '../refusal.js';
import type { Serving } from '../serving.js';
import { sendRefusal, sendText, writeContentHead } from './answer.js';
import { planBlocks } from './plan-blocks.js';
import { type ContentPlan, type Plan, planAnswer } from './plan.js';
import { assignedSocket, takeHead } from './response-head.js';
import { type DownloadTarget, parseTarget } from './target.js';
import { entityTag } from './validator.js';

export interface PieceHandlerOptions {
  serving: Serving;
  metrics: UploadMetrics;
  logger?: Logger;
}

/** Answers one piece request after the other; every error ends in an answer or in a closed connection. */
export class PieceHandler {
  readonly #serving: Serving;
  readonly #metrics: UploadMetrics;
  readonly #logger: Logger;

  constructor(options: PieceHandlerOptions) {
    this.#serving = options.serving;
    this.#metrics = options.metrics;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Resolves when the request is answered or its connection is gone. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#answer(request, response);
    } catch (thrown) {
      if (request.socket.destroyed) return;
      const { cause, text, error } = refusalOf(thrown);
      if (cause === 'internal') this.#logger.error({ err: error }, 'an upload request failed');
      if (response.headersSent) request.socket.destroy();
      else this.#refuse(response, cause, text);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      this.#metrics.refused('http', 'bad-request');
      return sendText(response, 405, 'pieces are only read here: GET or HEAD', {
        Allow: 'GET, HEAD',
        Connection: 'close',
      });
    }
    if (hasBody(request)) return this.#refuse(response, 'bad-request', 'a request for a piece has no body');
    const target = parseTarget(request.url ?? '');
    if (target === undefined)
      return this.#refuse(response, 'not-found', 'nothing here; pieces are at /download/{id[0:3]}/{id}');
    const task = this.#serving.open(target.taskId);
    try {
      await this.#answerTask(request, response, target, task);
    } finally {
      task.release();
    }
  }

  async #answerTask(
    request: IncomingMessage,
    response: ServerResponse,
    target: DownloadTarget,
    task: ServedTask,
  ): Promise<void> {
    const plan = await this.#planAvailable(request, task);
    if (plan.kind !== 'content') return this.#answerWithoutContent(response, plan, task);
    if (plan.range.length > 0 && !isHere(plan, task))
      return this.#refuse(response, 'not-available', 'these bytes are not stored here yet');
    if (request.method === 'HEAD' || plan.range.length === 0) {
      writeContentHead(response, plan, task, entityTag(task));
      response.end();
      return;
    }
    const socket = response.socket ?? (await assignedSocket(response, request.socket));
    await this.#sendContent(socket, response, target, task, plan);
  }

  /** Waits for the bytes that are to be sent. The length, and with it the answer, may be known only then. */
  async #planAvailable(request: IncomingMessage, task: ServedTask): Promise<Plan> {
    const plan = planFor(request, task);
    if (plan.kind !== 'content' || request.method !== 'GET' || isHere(plan, task)) return plan;
    try {
      await this.#serving.available(task, plan.range, request.socket);
    } catch (thrown) {
      // What lies beyond an end that nobody knew of never comes; a range that ends there may be here already.
      if (isSameContent(plan, planFor(request, task))) throw thrown;
      return this.#planAvailable(request, task);
    }
    return planFor(request, task);
  }

  async #sendContent(
    socket: Socket,
    response: ServerResponse,
    target: DownloadTarget,
    task: ServedTask,
    wanted: ContentPlan,
  ): Promise<void> {
    const childIp = remoteIp(socket);
    const outcome = await this.#serving.send(childIp, socket, () => {
      const plan = stillGood(wanted, response.req, task);
      writeContentHead(response, plan, task, entityTag(task), this.#serving.routeFor(socket));
      const head = takeHead(response, socket);
      return {
        protocol: 'http',
        socket,
        head,
        task,
        range: plan.range,
        blocks: plan.blocks,
        childIp,
        childPeerId: target.peerId,
        traceParent: traceParentOf(response.req),
      };
    });
    if (outcome.result === 'complete') response.end();
    else socket.destroy();
  }

  #answerWithoutContent(response: ServerResponse, plan: Exclude<Plan, ContentPlan>, task: ServedTask): void {
    const etag = entityTag(task);
    switch (plan.kind) {
      case 'not-modified':
        response.writeHead(304, etag === undefined ? {} : { ETag: etag });
        response.end();
        return;
      case 'precondition-failed':
        return sendText(response, 412, 'this is another version of the content');
      case 'unsatisfiable':
        this.#metrics.refused('http', 'range');
        return sendText(response, 416, 'the content ends before this range', { 'Content-Range': plan.contentRange });
      case 'unknown-length':
        return this.#refuse(response, 'not-available', 'the length of this content is not known yet');
      case 'not-coming':
        return this.#refuse(response, 'not-available', 'nothing of this piece is stored here');
    }
  }

  #refuse(response: ServerResponse, cause: RefusalCause, text: string): void {
    this.#metrics.refused('http', cause);
    const isNotHere = cause === 'not-available' && blocksWishOf(response.req) !== undefined;
    sendRefusal(response, cause, text, isNotHere ? { [BLOCKS_HEADER]: NO_BLOCKS } : {});
  }
}

function planFor(request: IncomingMessage, task: ServedTask): Plan {
  const plan = planAnswer(request.headers, { etag: entityTag(task), contentLength: task.contentLength });
  return request.method === 'GET' ? planBlocks(plan, task, blocksWishOf(request)) : plan;
}

/** All of the range, or the beginning of a piece that goes out in blocks. */
function isHere(plan: ContentPlan, task: ServedTask): boolean {
  return plan.blocks !== undefined || task.has(plan.range);
}

/** A piece that was on its way may have got lost, or have arrived, since its answer was planned. @throws DFP_PIECE_NOT_FOUND */
function stillGood(plan: ContentPlan, request: IncomingMessage, task: ServedTask): ContentPlan {
  if (plan.blocks === undefined) return plan;
  const now = planFor(request, task);
  if (now.kind === 'content' && isHere(now, task)) return now;
  throw new DfpeerError('DFP_PIECE_NOT_FOUND', 'this piece comes no further; ask again');
}

function isSameContent(one: ContentPlan, other: Plan): boolean {
  return other.kind === 'content' && other.range.offset === one.range.offset && other.range.length === one.range.length;
}

function traceParentOf({ headers }: IncomingMessage): string | undefined {
  const value = headers[TRACE_PARENT_HEADER];
  return typeof value === 'string' ? value : undefined;
}

function blocksWishOf({ headers }: IncomingMessage): BlocksWish | undefined {
  const value = headers[BLOCKS_HEADER.toLowerCase()];
  return typeof value === 'string' ? parseBlocksWish(value) : undefined;
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}
