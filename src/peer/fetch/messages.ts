import type { Environment } from '../../core/environment.js';
import type { ErrorMessage } from './error-message.js';
import type { AuthorityFiles } from './origin/authority-files.js';
import type { OriginPieceOrder } from './origin/fetch-origin-piece.js';
import type { OriginStatOrder } from './origin/stat-origin.js';
import type { OriginStreamOrder } from './origin/stream-origin.js';
import type { ParentOrder } from './parent/parent-client.js';
import type { FetchedPiece, OriginContent, ParentPiece } from './piece-fetcher.js';

/** What a thread can be asked to do, and what comes of it. */
export interface JobKinds {
  'parent-piece': { order: ParentOrder; result: ParentPiece };
  'origin-piece': { order: OriginPieceOrder; result: FetchedPiece };
  'origin-stream': { order: OriginStreamOrder; result: { contentLength: number } };
  'origin-stat': { order: OriginStatOrder; result: OriginContent };
}

export type JobKind = keyof JobKinds;

export interface JobLimits {
  timeoutMs: number;
  idleTimeoutMs?: number;
  /** Leases have to be asked for. */
  metered: boolean;
  reportsProgress: boolean;
  /** Of a piece's blocks, when they are to be told as they come. */
  blockLength?: number;
}

export type Job = { [K in JobKind]: { kind: K; order: JobKinds[K]['order']; limits: JobLimits } }[JobKind];
export type JobResult = JobKinds[JobKind]['result'];

/** To a thread. `id` numbers the jobs of the main thread. */
export type ThreadOrder =
  | { type: 'start'; id: number; job: Job }
  | { type: 'abort'; id: number; error: ErrorMessage }
  | { type: 'grant'; id: number; bytes: number }
  | { type: 'piece-accepted'; id: number };

/** From a thread, of a job. After `done` or `failed` nothing writes for this job any more; `spent` bytes of its leases were used. */
export type JobReport =
  | { type: 'progress'; id: number; bytes: number }
  | { type: 'block'; id: number; sum: number }
  | { type: 'want-lease'; id: number; bytes: number }
  | { type: 'piece'; id: number; piece: FetchedPiece }
  | { type: 'done'; id: number; result: JobResult; spent: number }
  | { type: 'failed'; id: number; error: ErrorMessage; spent: number };

/** From a thread. Trouble is of no job in particular; several threads may have the same. */
export type ThreadReport = JobReport | { type: 'trouble'; message: string };

/** What every thread is started with. */
export interface ThreadOptions {
  allowedNetworks: readonly string[];
  authorities: AuthorityFiles;
  parentConnectTimeoutMs: number | undefined;
  originConnectTimeoutMs: number | undefined;
  connectionsPerOrigin: number | undefined;
  /** Of which origins' proxies are taken; undefined: none. */
  environment?: Environment | undefined;
}
