import {
  DEFAULT_MAX_CONCURRENT_TRANSFERS,
  DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP,
  DEFAULT_MAX_QUEUED_TRANSFERS,
  DEFAULT_QUEUE_TIMEOUT_MS,
} from './admission.js';
import { DEFAULT_HEADERS_TIMEOUT_MS, DEFAULT_KEEP_ALIVE_TIMEOUT_MS } from './http/server.js';
import { DEFAULT_AVAILABILITY_TIMEOUT_MS, DEFAULT_MAX_WAITING_FOR_PIECE } from './serving.js';
import { DEFAULT_COPY_MEMORY_BYTES } from './transfer/buffer-pool.js';
import { DEFAULT_MIN_PROGRESS_BYTES, DEFAULT_NO_PROGRESS_TIMEOUT_MS } from './transfer/uploads.js';
import { DEFAULT_LINGER_TIMEOUT_MS, DEFAULT_REQUEST_TIMEOUT_MS } from './vortex/server.js';

/** Open connections of all piece servers together. */
export const DEFAULT_MAX_CONNECTIONS = 8192;
export const DEFAULT_MAX_CONNECTIONS_PER_IP = 1024;

/** What the upload side allows at most. */
export interface UploadBounds {
  /** Transfers at once. */
  maxConcurrentTransfers: number;
  /** Transfers at once to one IP. */
  maxConcurrentTransfersPerIp: number;
  /** Requests waiting for a transfer slot. */
  maxQueuedTransfers: number;
  queueTimeoutMs: number;
  /** Open connections of both piece servers. */
  maxConnections: number;
  maxConnectionsPerIp: number;
  /** Requests waiting for bytes that are being downloaded here. */
  maxWaitingForPiece: number;
  availabilityTimeoutMs: number;
  /** Head of an HTTP request. */
  headersTimeoutMs: number;
  /** An idle HTTP connection. */
  keepAliveTimeoutMs: number;
  /** The request of a vortex connection. */
  vortexRequestTimeoutMs: number;
  /** The client's half of a vortex connection after ours is closed. */
  vortexLingerTimeoutMs: number;
  /** A client that takes less than minProgressBytes in this time is cut off. */
  noProgressTimeoutMs: number;
  minProgressBytes: number;
  /** Buffers of the copy route; beyond it each further transfer uses its smallest buffer. */
  copyMemoryBytes: number;
}

export const DEFAULT_UPLOAD_BOUNDS: Readonly<UploadBounds> = {
  maxConcurrentTransfers: DEFAULT_MAX_CONCURRENT_TRANSFERS,
  maxConcurrentTransfersPerIp: DEFAULT_MAX_CONCURRENT_TRANSFERS_PER_IP,
  maxQueuedTransfers: DEFAULT_MAX_QUEUED_TRANSFERS,
  queueTimeoutMs: DEFAULT_QUEUE_TIMEOUT_MS,
  maxConnections: DEFAULT_MAX_CONNECTIONS,
  maxConnectionsPerIp: DEFAULT_MAX_CONNECTIONS_PER_IP,
  maxWaitingForPiece: DEFAULT_MAX_WAITING_FOR_PIECE,
  availabilityTimeoutMs: DEFAULT_AVAILABILITY_TIMEOUT_MS,
  headersTimeoutMs: DEFAULT_HEADERS_TIMEOUT_MS,
  keepAliveTimeoutMs: DEFAULT_KEEP_ALIVE_TIMEOUT_MS,
  vortexRequestTimeoutMs: DEFAULT_REQUEST_TIMEOUT_MS,
  vortexLingerTimeoutMs: DEFAULT_LINGER_TIMEOUT_MS,
  noProgressTimeoutMs: DEFAULT_NO_PROGRESS_TIMEOUT_MS,
  minProgressBytes: DEFAULT_MIN_PROGRESS_BYTES,
  copyMemoryBytes: DEFAULT_COPY_MEMORY_BYTES,
};
