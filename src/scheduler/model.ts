import type { ByteRange } from '../core/piece.js';
import type { TaskId } from '../core/task-id.js';
import type { PieceCosts } from './piece-costs.js';
import type { PeerState } from './peer-state.js';

/** What a host announces about itself. Bandwidths in bits per second; 0 is unknown. */
export interface HostAnnouncement {
  id: string;
  hostname: string;
  ip: string;
  /** 0 is a normal host, anything else a seed. */
  type: number;
  disableShared: boolean;
  idc: string;
  /** `country|province|…`, up to five levels. */
  location: string;
  maxTxBitsPerSecond: number;
  txBitsPerSecond: number;
  /** 0: it doesn't say. */
  intervalMs: number;
}

export interface SchedulerHost extends HostAnnouncement {
  readonly peers: Map<string, SchedulerPeer>;
  /** Pieces that children could not get from here since it last announced itself. */
  failedPieceCount: number;
  /** Monotonic. */
  seenAtMs: number;
}

/** What a peer says about its task when it registers. */
export interface TaskDescription {
  id: TaskId;
  /** Standard, persistent, persistent cache, cache: as on the wire. */
  type: 0 | 1 | 2 | 3;
  url: string;
  digest: string | undefined;
  tag: string | undefined;
  application: string | undefined;
  filteredQueryParams: readonly string[];
}

/** Undefined: the peer didn't say. */
export interface TaskContent {
  contentLength: number | undefined;
  pieceLength: number | undefined;
  pieceCount: number | undefined;
}

export type TaskState = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export interface SchedulerTask extends TaskDescription {
  content: TaskContent;
  state: TaskState;
  readonly peers: Map<string, SchedulerPeer>;
  readonly createdAtMs: number;
  updatedAtMs: number;
  /** Monotonic. */
  usedAtMs: number;
}

export interface PeerRegistration {
  id: string;
  hostId: string;
  task: TaskDescription;
  content: TaskContent;
  priority: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  range: ByteRange | undefined;
  concurrentPieceCount: number | undefined;
  needBackToSource: boolean;
  disableBackToSource: boolean;
  metadataOnly: boolean;
  /** Goes to the origin by itself, or asks again, when its parents wait for it. Dragonfly's client waits with them for six minutes. */
  leavesRings: boolean;
}

/** One download of a task on one host. Times "At" are epoch milliseconds, `seenAtMs` is monotonic. */
export interface SchedulerPeer extends Omit<PeerRegistration, 'task'> {
  readonly host: SchedulerHost;
  readonly task: SchedulerTask;
  state: PeerState;
  /** Never to be its parents again. */
  readonly blocked: Set<string>;
  /** As last answered; the mirror of their `children`. */
  readonly parents: Set<SchedulerPeer>;
  readonly children: Set<SchedulerPeer>;
  readonly costs: PieceCosts;
  /** Streams that carry its reports now: 0 or 1, and 2 for the moment of a reconnect. */
  streamCount: number;
  /** Sent to the source, and hasn't said yet that it started. */
  sourceClaim: SourceClaim | undefined;
  /** Pending while it has lost its stream. */
  cancelGrace: (() => void) | undefined;
  readonly createdAtMs: number;
  updatedAtMs: number;
  finishedAtMs: number | undefined;
  seenAtMs: number;
}

export interface SourceClaim {
  /** Nobody waits for it any longer. */
  lapsed: boolean;
  cancelTimer: () => void;
}
