import type { ByteRange } from '../../core/piece.js';
import type { TaskId } from '../../core/task-id.js';
import type { OriginTrust } from '../fetch/piece-fetcher.js';

/** What one client wants; several may share the download of a task. */
export interface DownloadRequest {
  taskId: TaskId;
  url: string;
  requestHeader: Readonly<Record<string, string>>;
  tag: string;
  application: string;
  /** 0..6, see the scheduler's rules. */
  priority: number;
  filteredQueryParams: readonly string[];
  /** Only when the client fixed it. */
  pieceLength: number | undefined;
  digest: string | undefined;
  /** Resolved against the content length once that is known; undefined: the whole task. */
  range: ((contentLength: number) => ByteRange) | undefined;
  disableBackToSource: boolean;
  /** A scheduler told us to fetch from the origin (seed peers). */
  needBackToSource: boolean;
  trust: OriginTrust;
  /** A complete task is not taken as it is either: when the origin has something else now, it begins anew. */
  doubtsComplete?: boolean;
  /** Of this download alone, in bytes per second; the client that starts a download sets it. */
  rateLimitBytesPerSecond: number | undefined;
}

/** How long an origin may take to tell what it has. */
export const ORIGIN_TIMEOUT_MS = 30_000;

/** Bounds of one download; durations in milliseconds. */
export interface DownloadSettings {
  concurrentPieceCount: number;
  /** One piece from request to last byte. */
  pieceTimeoutMs: number;
  /** No byte of a piece for this long. */
  idleTimeoutMs: number;
  /** Parents are there, but none offers what is missing and nothing moves. */
  collectedPieceTimeoutMs: number;
  maxScheduleCount: number;
  /** Stat of the origin. */
  originTimeoutMs: number;
  /** Attempts for one piece at the origin. */
  maxOriginAttempts: number;
  /** Sent with every request to an origin, unless the download sets the header itself. */
  originRequestHeader: Readonly<Record<string, string>>;
  /** At or below this a task goes straight to the origin: the scheduler's answer would take longer than the bytes. */
  smallTaskBytes: number;
}
