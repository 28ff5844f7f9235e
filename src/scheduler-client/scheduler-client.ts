import type { StoredPiece } from '../core/piece.js';
import type { TaskId } from '../core/task-id.js';
import type { LifeSign } from './liveness.js';

/** This node, as schedulers and other peers see it. Bandwidths in bits per second, as on the wire. */
export interface HostDescription {
  id: string;
  type: 'normal' | 'seed';
  hostname: string;
  ip: string;
  /** gRPC upload port, also announced as download_port. */
  port: number;
  proxyPort: number;
  idc?: string | undefined;
  location?: string | undefined;
  schedulerClusterId: number;
  disableShared: boolean;
  /** $POD_NAMESPACE-$POD_NAME, or the host name. */
  name: string;
}

/** Numbers that change; sampled at each announcement. */
export interface HostLoad {
  cpu: { logicalCount: number; physicalCount: number; percent: number; processPercent: number };
  memory: {
    total: number;
    available: number;
    used: number;
    free: number;
    usedPercent: number;
    processUsedPercent: number;
  };
  network: {
    maxRxBitsPerSecond: number;
    rxBitsPerSecond: number;
    maxTxBitsPerSecond: number;
    txBitsPerSecond: number;
    tcpConnectionCount: number;
    uploadTcpConnectionCount: number;
  };
  disk: {
    total: number;
    free: number;
    used: number;
    usedPercent: number;
    inodesTotal: number;
    inodesUsed: number;
    inodesFree: number;
    inodesUsedPercent: number;
  };
}

/** What a download registers with. The lengths are mandatory: a scheduler takes missing ones for an empty task. */
export interface PeerRegistration {
  taskId: TaskId;
  peerId: string;
  url: string;
  digest?: string | undefined;
  tag: string;
  application: string;
  /** 0..6 */
  priority: number;
  filteredQueryParams: readonly string[];
  requestHeader: Readonly<Record<string, string>>;
  range?: { offset: number; length: number } | undefined;
  /** Only when the client fixed it. */
  pieceLength?: number | undefined;
  concurrentPieceCount: number;
  actualContentLength: number;
  actualPieceLength: number;
  actualPieceCount: number;
  needBackToSource: boolean;
  disableBackToSource: boolean;
  /** Announces a copy that is complete already; the answer is `metadata-only`. */
  metadataOnly: boolean;
}

/** A peer that may have pieces for us. */
export interface CandidateParent {
  peerId: string;
  hostId: string;
  hostname: string;
  ip: string;
  /** Its upload gRPC port. */
  port: number;
  isSeed: boolean;
  state: string;
  idc?: string | undefined;
  maxTxBitsPerSecond: number;
  txBitsPerSecond: number;
  /** The scheduler's own message: a reschedule must echo it untouched. */
  readonly wire: unknown;
}

export type ScheduleDecision =
  | { kind: 'empty' }
  | { kind: 'parents'; parents: CandidateParent[] }
  | { kind: 'back-to-source'; description: string }
  | { kind: 'metadata-only' };

/**
 * One AnnouncePeer stream: one download attempt. Reports never throw and never block: they go into a bounded queue, and a broken
 * stream shows in `failed`. register and reschedule reject with DFP_SCHEDULER_* or DFP_DEADLINE.
 */
export interface PeerSession {
  readonly peerId: string;
  /** Aborts, with a coded error as reason, when the stream broke. Whoever downloads can go on without. */
  readonly failed: AbortSignal;
  /** Hears of parents beside those that were answered: those that were looked for, or whenever the scheduler has some, which Dragonfly's never says. One listener. */
  onMoreParents(listener: (parents: CandidateParent[]) => void): void;
  /** Asks the scheduler for a sign of life, beside a question. */
  expectLife(): LifeSign;
  register(signal?: AbortSignal): Promise<ScheduleDecision>;
  /** Blocks `parents` for this peer and asks for others. An empty list only asks again. */
  reschedule(parents: readonly CandidateParent[], description: string, signal?: AbortSignal): Promise<ScheduleDecision>;
  /** Asks for parents beside those at hand; `onMoreParents` hears of them. */
  searchParents(): void;
  started(): void;
  backToSourceStarted(description: string): void;
  pieceFinished(piece: StoredPiece): void;
  pieceFromSourceFinished(piece: StoredPiece): void;
  pieceFailed(report: { pieceNumber: number; parentPeerId: string; temporary: boolean }): void;
  pieceFromSourceFailed(report: {
    pieceNumber: number;
    message: string;
    status?: number | undefined;
    headers?: Readonly<Record<string, string>> | undefined;
  }): void;
  /** Ends the stream with success; resolves when the server closed it or after a short deadline. Idempotent with fail. */
  finish(how: 'parents' | 'source'): Promise<void>;
  fail(how: 'parents' | 'source', description: string): Promise<void>;
}

/** The scheduler side of the daemon: one or many schedulers behind it. */
export interface SchedulerClient {
  /** Announces this host to every scheduler, now and every interval, until stop(). Never rejects for an unreachable one: it is retried. */
  start(): Promise<void>;
  /** A session with the scheduler that is responsible for the task. Rejects with DFP_SCHEDULER_UNREACHABLE when there is none. */
  openSession(registration: PeerRegistration): Promise<PeerSession>;
  /** The task's data left this host. */
  deleteTask(taskId: TaskId): Promise<void>;
  /** For operators: who is announced to, and how it stands; without a list, where it should come from, and why it does not. */
  status(): {
    address: string;
    healthy: boolean;
    lastAnnouncedAtMs: number | undefined;
    lastError: string | undefined;
  }[];
  /** Sends DeleteHost everywhere (bounded), closes. */
  stop(): Promise<void>;
}
