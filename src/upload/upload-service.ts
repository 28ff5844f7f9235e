import type { Socket } from 'node:net';
import type { Registry } from 'prom-client';
import { type Clock, systemClock } from '../core/clock.js';
import { ConnectionCaps } from '../core/connection-caps.js';
import { type Logger, silentLogger } from '../core/logger.js';
import { Admission } from './admission.js';
import { DEFAULT_UPLOAD_BOUNDS, type UploadBounds } from './bounds.js';
import { PieceHandler } from './http/handler.js';
import { HttpPieceServer } from './http/server.js';
import { UploadLimits, type UploadRates } from './upload-limits.js';
import { UploadMetrics, registerUploadLevels } from './metrics.js';
import type { PieceSource } from './piece-source.js';
import type { LimitedRoute } from './route.js';
import { Serving } from './serving.js';
import { BufferPool } from './transfer/buffer-pool.js';
import { DropBehind } from './transfer/drop-behind.js';
import { type EngineSupport, type LiveUpload, Uploads, type UploadsOptions } from './transfer/uploads.js';
import { VortexServer } from './vortex/server.js';

/** Where a server listens. */
export interface ListenAddress {
  ip: string;
  /** 0: the system chooses. */
  port: number;
}

/** Which servers run, and where. */
export interface UploadAddresses {
  http?: ListenAddress | undefined;
  vortex?: ListenAddress | undefined;
}

export interface UploadServiceOptions {
  source: PieceSource;
  engine: EngineSupport;
  registry: Registry;
  rates?: UploadRates;
  /** What serves while a limit is in force. Default `copy`. */
  limitedRoute?: LimitedRoute;
  bounds?: Partial<UploadBounds>;
  /** Whether plain HTTP requests skip the general HTTP server. Default true. */
  fastLane?: boolean;
  logger?: Logger;
  clock?: Clock;
  onUpload?: UploadsOptions['onUpload'];
  /** Whether what an upload reads from the disk leaves the page cache after it. Default false. */
  dropBehind?: boolean;
}

/** The upload side of a peer: both piece servers over the same routes, limits, caps and metrics. */
export class UploadService {
  /** The limits in force; `limits.total` counts the bytes it granted. */
  readonly limits: UploadLimits;
  readonly #uploads: Uploads;
  readonly #serving: Serving;
  readonly #http: HttpPieceServer;
  readonly #vortex: VortexServer;

  /** @throws UsageError for a limit that isn't positive. */
  constructor(options: UploadServiceOptions) {
    const { source, engine, registry, limitedRoute = 'copy', logger = silentLogger, clock = systemClock } = options;
    const bounds = { ...DEFAULT_UPLOAD_BOUNDS, ...options.bounds };
    const metrics = new UploadMetrics(registry);
    this.limits = new UploadLimits(options.rates ?? {}, { clock });
    const pool = new BufferPool(bounds.copyMemoryBytes);
    const { noProgressTimeoutMs, minProgressBytes, availabilityTimeoutMs, maxWaitingForPiece } = bounds;
    const shared = { metrics, logger, clock };
    const { limits } = this;
    this.#uploads = new Uploads({
      ...shared,
      engine,
      limits,
      limitedRoute,
      pool,
      noProgressTimeoutMs,
      minProgressBytes,
      blockTimeoutMs: availabilityTimeoutMs,
      onUpload: options.onUpload,
      dropBehind: options.dropBehind === true ? new DropBehind() : undefined,
    });
    const admission = createAdmission(bounds, clock);
    const uploads = this.#uploads;
    this.#serving = new Serving({ source, uploads, admission, availabilityTimeoutMs, maxWaitingForPiece, clock });
    const serving = this.#serving;
    const caps = new ConnectionCaps({ max: bounds.maxConnections, maxPerIp: bounds.maxConnectionsPerIp });
    const handler = new PieceHandler({ serving, metrics, logger });
    this.#http = new HttpPieceServer({
      ...shared,
      serving,
      handler,
      caps,
      headersTimeoutMs: bounds.headersTimeoutMs,
      keepAliveTimeoutMs: bounds.keepAliveTimeoutMs,
      ...(options.fastLane === undefined ? {} : { fastLane: options.fastLane }),
    });
    this.#vortex = new VortexServer({
      ...shared,
      serving,
      caps,
      requestTimeoutMs: bounds.vortexRequestTimeoutMs,
      lingerTimeoutMs: bounds.vortexLingerTimeoutMs,
    });
    registerUploadLevels(registry, {
      queuedTransfers: () => admission.queued,
      waitingForPiece: () => serving.waitingForPiece + uploads.waitingForPiece,
      waitingForBandwidth: () => uploads.waitingForBandwidth,
      connections: () => caps.open,
      limitBytesPerSecond: () => limits.limitBytesPerSecond,
      limiterSpentBytes: () => limits.total.spentBytes,
    });
  }

  /** Resolves with the ports in use. @throws DFP_LISTEN; then nothing of this call listens. */
  async start(addresses: UploadAddresses): Promise<{ httpPort: number | undefined; vortexPort: number | undefined }> {
    const { http, vortex } = addresses;
    const httpPort = http === undefined ? undefined : await this.#http.listen(http.ip, http.port);
    try {
      const vortexPort = vortex === undefined ? undefined : await this.#vortex.listen(vortex.ip, vortex.port);
      return { httpPort, vortexPort };
    } catch (error) {
      if (httpPort !== undefined) await this.#http.close();
      throw error;
    }
  }

  /** Serves a vortex connection that came in on another port: see createSharedPortServer(). */
  handleVortex(socket: Socket, firstBytes: Uint8Array): void {
    this.#vortex.handle(socket, firstBytes);
  }

  /** New limits at once, for running uploads too. @throws UsageError for a limit that isn't positive. */
  setRates(rates: UploadRates): void {
    this.limits.setRates(rates);
  }

  setLimitedRoute(route: LimitedRoute): void {
    this.#uploads.setLimitedRoute(route);
  }

  /** What is being uploaded right now. */
  list(): LiveUpload[] {
    return this.#uploads.list();
  }

  /**
   * Takes no new work and refuses what waits; resolves true when running uploads have ended and everybody has an answer, false when
   * that is not so at the deadline.
   */
  async drain(deadlineMs: number): Promise<boolean> {
    this.#serving.drain();
    this.#http.stopAccepting();
    this.#vortex.stopAccepting();
    return this.#serving.whenIdle(deadlineMs);
  }

  /** Ends everything at once. When it resolves no socket or file is in use any more. */
  async close(): Promise<void> {
    this.#serving.drain();
    await Promise.all([this.#http.close(), this.#vortex.close(), this.#uploads.stopAll()]);
    this.limits.close();
  }
}

function createAdmission(bounds: UploadBounds, clock: Clock): Admission {
  return new Admission({
    maxConcurrent: bounds.maxConcurrentTransfers,
    maxConcurrentPerIp: bounds.maxConcurrentTransfersPerIp,
    maxQueued: bounds.maxQueuedTransfers,
    queueTimeoutMs: bounds.queueTimeoutMs,
    clock,
  });
}
