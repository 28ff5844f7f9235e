import { DeadlineError, type DfpeerError, OriginError, toDfpeerError } from '../../core/errors.js';
import { redactUrl } from '../../core/redact.js';
import { packError, unpackError } from './error-message.js';
import type { Job, JobResult, ThreadOptions, ThreadOrder, ThreadReport } from './messages.js';
import { DirectOrigins } from './origin/direct-origins.js';
import { fetchOriginPiece, type OriginPieceOrder } from './origin/fetch-origin-piece.js';
import { OriginClient } from './origin/origin-client.js';
import { OriginGuard, type Resolve } from './origin/origin-guard.js';
import { statOrigin } from './origin/stat-origin.js';
import { streamOrigin } from './origin/stream-origin.js';
import { TrustedAuthorities } from './origin/trusted-authorities.js';
import { ConnectionPool } from './connection/connection-pool.js';
import { fetchFromParent, parentName } from './parent/parent-client.js';
import type { FetchedPiece } from './piece-fetcher.js';
import { Transfer } from './transfer.js';

/** Does the jobs of one thread: connections, deadlines and files live here; orders and reports are plain messages. */
export class FetchEngine {
  readonly #report: (report: ThreadReport) => void;
  readonly #parents: ConnectionPool;
  readonly #origins: OriginClient;
  readonly #directOrigins: DirectOrigins;
  readonly #running = new Map<number, Transfer>();

  constructor(options: ThreadOptions, report: (report: ThreadReport) => void, resolve?: Resolve) {
    this.#report = report;
    const { parentConnectTimeoutMs: connectTimeoutMs, allowedNetworks } = options;
    this.#parents = new ConnectionPool(connectTimeoutMs === undefined ? {} : { connectTimeoutMs });
    const guard = new OriginGuard(resolve === undefined ? { allowedNetworks } : { allowedNetworks, resolve });
    const onTrouble = (message: string): void => report({ type: 'trouble', message });
    const authorities = new TrustedAuthorities(options.authorities, onTrouble);
    const ofOrigins = { ...options, authorities, guard, connectTimeoutMs: options.originConnectTimeoutMs };
    this.#origins = new OriginClient(ofOrigins);
    this.#directOrigins = new DirectOrigins(ofOrigins);
  }

  /** An order for a job that has ended is ignored: it crossed our report. */
  handle(order: ThreadOrder): void {
    switch (order.type) {
      case 'start':
        return void this.#start(order.id, order.job);
      case 'abort':
        return this.#running.get(order.id)?.abort(unpackError(order.error));
      case 'grant':
        return this.#running.get(order.id)?.grant(order.bytes);
      case 'piece-accepted':
        return this.#running.get(order.id)?.pieceAccepted();
    }
  }

  async close(): Promise<void> {
    this.#parents.close();
    this.#directOrigins.close();
    await this.#origins.close();
  }

  async #start(id: number, job: Job): Promise<void> {
    const { blockLength } = job.limits;
    const onBlock = (sum: number): void => this.#report({ type: 'block', id, sum });
    const transfer = new Transfer({
      waitingFor: describe(job),
      ...job.limits,
      blocks: blockLength === undefined ? undefined : { blockLength, onBlock },
      port: {
        requestLease: (bytes) => this.#report({ type: 'want-lease', id, bytes }),
        reportProgress: (bytes) => this.#report({ type: 'progress', id, bytes }),
        deliverPiece: (piece) => this.#report({ type: 'piece', id, piece }),
      },
    });
    this.#running.set(id, transfer);
    let report: ThreadReport;
    try {
      const result = await this.#run(job, transfer);
      report = { type: 'done', id, result, spent: transfer.bytes };
    } catch (error) {
      report = { type: 'failed', id, error: packError(toJobError(error, job, transfer)), spent: transfer.bytes };
    }
    transfer.close();
    this.#running.delete(id);
    this.#report(report);
  }

  #run(job: Job, transfer: Transfer): Promise<JobResult> {
    switch (job.kind) {
      case 'parent-piece':
        return fetchFromParent(job.order, this.#parents, transfer);
      case 'origin-piece':
        return this.#fetchOriginPiece(job.order, transfer);
      case 'origin-stream':
        return streamOrigin(job.order, this.#origins, transfer);
      case 'origin-stat':
        return statOrigin(job.order, this.#origins, transfer.signal);
    }
  }

  async #fetchOriginPiece(order: OriginPieceOrder, transfer: Transfer): Promise<FetchedPiece> {
    const piece = await this.#directOrigins.fetch(order, transfer);
    return piece ?? fetchOriginPiece(order, this.#origins, transfer);
  }
}

/** An origin that takes the connection and says nothing is as much out of reach as one that doesn't take it. */
function toJobError(thrown: unknown, job: Job, transfer: Transfer): DfpeerError {
  const isSilence = thrown instanceof DeadlineError && thrown.waitedFor === transfer.waitingFor && transfer.bytes === 0;
  if (!isSilence || job.kind === 'parent-piece') return toDfpeerError(thrown, 'DFP_INTERNAL', transfer.waitingFor);
  return new OriginError('DFP_ORIGIN_UNREACHABLE', thrown.message, {}, { cause: thrown });
}

function describe(job: Job): string {
  if (job.kind === 'parent-piece') return parentName(job.order.endpoint);
  return `origin ${redactUrl(job.kind === 'origin-stat' ? job.order.url : job.order.origin.url)}`;
}
