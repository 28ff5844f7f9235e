import type { Socket } from 'node:net';
import type { TransferEngine } from '../../../native/index.js';
import { type Clock, systemClock } from '../../core/clock.js';
import { type Logger, silentLogger } from '../../core/logger.js';
import type { UploadAllowance, UploadLimits } from '../upload-limits.js';
import type { UploadMetrics } from '../metrics.js';
import {
  type EngineUnavailableReason,
  type LimitedRoute,
  type Route,
  type RouteChoice,
  type RouteReason,
  type TransferFallbackReason,
  chooseRoute,
} from '../route.js';
import { BufferPool } from './buffer-pool.js';
import { CopyRoute } from './copy-route.js';
import type { DropBehind } from './drop-behind.js';
import { runPaced, runSendfile } from './engine-route.js';
import type { Segment, SegmentEnd } from './segment.js';
import { socketKind } from './socket.js';
import {
  Upload,
  type UploadHost,
  type UploadOutcome,
  type UploadProtocol,
  type UploadResult,
  type UploadSpec,
  type UploadWait,
} from './upload.js';

export type EngineSupport =
  { available: true; engine: TransferEngine } | { available: false; reason: EngineUnavailableReason };

/** A client that takes less than this in `noProgressTimeoutMs` is cut off. */
export const DEFAULT_MIN_PROGRESS_BYTES = 8 * 1024;
export const DEFAULT_NO_PROGRESS_TIMEOUT_MS = 30_000;
/** How often progress is checked within the timeout; running sendfiles are counted then too. */
const CHECKS_PER_TIMEOUT = 30;

/** Of a piece that is on its way here: it is in memory as it comes, and stays there. */
const NOT_FROM_DISK = { offset: 0, length: 0 };

/** What the log says of uploads that met an error, and ended so. */
const ENDED_WITH_ERROR: Record<UploadResult, string> = {
  complete: 'sendfile failed; the rest was copied',
  'client-closed': 'sendfile failed, and the client left before the rest was copied',
  'timed-out': 'sendfile failed, and the client took too little of the rest',
  'file-error': 'an upload ended: its file could not be read',
  'engine-error': 'an upload was cut off: sendfile failed, and how much of it went out is not certain',
  stopped: 'an upload was cut off by this peer',
};

export interface UploadsOptions {
  engine: EngineSupport;
  limits: UploadLimits;
  metrics: UploadMetrics;
  limitedRoute?: LimitedRoute;
  minProgressBytes?: number;
  noProgressTimeoutMs?: number;
  /** How long an upload waits for the next block of a piece that is on its way here. */
  blockTimeoutMs: number;
  pool?: BufferPool;
  clock?: Clock;
  logger?: Logger;
  /** Told of each upload, and where to see how far it is; what it returns, of its end. */
  onUpload?: OnUpload | undefined;
  /** Undefined leaves the page cache to the kernel. */
  dropBehind?: DropBehind | undefined;
}

/** Of a running upload. */
export interface UploadProgress {
  readonly bytesSent: number;
  readonly waitingFor: UploadWait;
}

export type OnUpload = (spec: UploadSpec, progress: UploadProgress) => (outcome: UploadOutcome) => void;

/** One running upload, as operators see it. */
export interface LiveUpload {
  /** Tells it from the others. */
  id: number;
  protocol: UploadProtocol;
  taskId: string;
  childIp: string;
  childPeerId: string;
  route: Route;
  reason: RouteReason;
  offset: number;
  length: number;
  bytesSent: number;
  /** Milliseconds since the Unix epoch. */
  sinceMs: number;
  waitingFor: UploadWait;
}

/** All running uploads: starts them, moves them between routes, watches their progress, ends them. */
export class Uploads implements UploadHost {
  readonly #options: UploadsOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #copy: CopyRoute;
  readonly #noProgressTimeoutMs: number;
  readonly #running = new Set<Upload>();
  readonly #stopListening: () => void;
  #limitedRoute: LimitedRoute;
  #begun = 0;
  #cancelCheck: (() => void) | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: UploadsOptions) {
    const { clock = systemClock, logger = silentLogger, pool = new BufferPool() } = options;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#copy = new CopyRoute(pool, clock);
    this.#limitedRoute = options.limitedRoute ?? 'copy';
    this.#noProgressTimeoutMs = options.noProgressTimeoutMs ?? DEFAULT_NO_PROGRESS_TIMEOUT_MS;
    this.#stopListening = options.limits.onChange(() => this.#reconsiderAll());
  }

  get size(): number {
    return this.#running.size;
  }

  /** Running uploads that wait for a lease of whichever limit binds them. */
  get waitingForBandwidth(): number {
    return [...this.#running].filter((upload) => upload.waitingForBudget).length;
  }

  /** Running uploads that wait for the next block of a piece that is on its way here. */
  get waitingForPiece(): number {
    return [...this.#running].filter(({ waitingFor }) => waitingFor === 'piece').length;
  }

  /** Running uploads move over at their next quantum. */
  setLimitedRoute(limitedRoute: LimitedRoute): void {
    this.#limitedRoute = limitedRoute;
    this.#reconsiderAll();
  }

  /** Sends a range and counts it. Never rejects. */
  async send(spec: UploadSpec): Promise<UploadOutcome> {
    const { metrics, onUpload, dropBehind } = this.#options;
    const upload = new Upload(spec, this, ++this.#begun);
    const onEnd = onUpload?.(spec, upload);
    const onRead = dropBehind?.begin(
      spec.blocks?.complete === false ? { task: spec.task, range: NOT_FROM_DISK } : spec,
    );
    this.#running.add(upload);
    this.#scheduleCheck();
    metrics.started(spec.task);
    const outcome = await upload.run();
    this.#running.delete(upload);
    metrics.finished(spec.protocol, spec.task, outcome);
    onEnd?.(outcome);
    onRead?.(outcome);
    this.#log(spec, outcome);
    if (this.#running.size === 0) this.#onIdle?.();
    return outcome;
  }

  list(): LiveUpload[] {
    return [...this.#running].map((upload) => ({
      id: upload.id,
      protocol: upload.spec.protocol,
      taskId: upload.spec.task.taskId,
      childIp: upload.spec.childIp,
      childPeerId: upload.spec.childPeerId,
      route: upload.choice.route,
      reason: upload.choice.reason,
      offset: upload.spec.range.offset,
      length: upload.spec.range.length,
      bytesSent: upload.bytesSent,
      sinceMs: upload.sinceMs,
      waitingFor: upload.waitingFor,
    }));
  }

  /** Ends every running upload; resolves when nothing touches a socket or file on their behalf. */
  async stopAll(): Promise<void> {
    this.#stopListening();
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    for (const upload of [...this.#running]) upload.stop('stopped');
    if (this.#running.size > 0) await idle;
    this.#cancelCheck?.();
    this.#cancelCheck = undefined;
  }

  choose(socket: Socket, fallback: TransferFallbackReason | undefined): RouteChoice {
    const { engine, limits } = this.#options;
    return chooseRoute({
      limitBytesPerSecond: limits.limitBytesPerSecond,
      interfaceBytesPerSecond: limits.rates.interface,
      engine,
      socket: socketKind(socket),
      fallback,
      limitedRoute: this.#limitedRoute,
    });
  }

  runRoute(choice: RouteChoice, segment: Segment): Promise<SegmentEnd> {
    const { engine } = this.#options;
    if (choice.route === 'copy' || !engine.available) return this.#copy.run(segment);
    return choice.route === 'paced' ? runPaced(engine.engine, segment) : runSendfile(engine.engine, segment);
  }

  allow(spec: UploadSpec): UploadAllowance {
    return this.#options.limits.allow(spec.task.taskId, spec.childIp);
  }

  countBytes(protocol: UploadProtocol, choice: RouteChoice, bytes: number): void {
    this.#options.metrics.bytes(protocol, choice, bytes);
  }

  onBlockOverdue(callback: () => void): () => void {
    return this.#clock.after(this.#options.blockTimeoutMs, callback, { unref: true });
  }

  now(): number {
    return this.#clock.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  #reconsiderAll(): void {
    for (const upload of [...this.#running]) upload.reconsider();
  }

  #scheduleCheck(): void {
    if (this.#cancelCheck !== undefined || this.#running.size === 0) return;
    const intervalMs = Math.ceil(this.#noProgressTimeoutMs / CHECKS_PER_TIMEOUT);
    this.#cancelCheck = this.#clock.after(intervalMs, () => this.#checkAll(), { unref: true });
  }

  #checkAll(): void {
    const minBytes = this.#options.minProgressBytes ?? DEFAULT_MIN_PROGRESS_BYTES;
    for (const upload of [...this.#running])
      if (upload.checkProgress(minBytes) > CHECKS_PER_TIMEOUT) upload.stop('timed-out');
    this.#cancelCheck = undefined;
    this.#scheduleCheck();
  }

  #log(spec: UploadSpec, outcome: UploadOutcome): void {
    const { result, bytesSent, error } = outcome;
    const { childIp, protocol } = spec;
    const { route, reason } = outcome.choice;
    const fields = { taskId: spec.task.taskId, childIp, protocol, route, reason, bytesSent, result, err: error };
    if (error === undefined) this.#logger.debug(fields, 'an upload ended');
    else this.#logger[result === 'file-error' ? 'error' : 'warn'](fields, ENDED_WITH_ERROR[result]);
  }
}
