import type { ByteBudget } from '../../core/byte-budget.js';
import type { Clock } from '../../core/clock.js';
import type { Logger } from '../../core/logger.js';
import type { TrafficType } from '../../core/piece.js';
import type { TaskId } from '../../core/task-id.js';
import type { Tracer } from '../../core/tracing.js';
import type { SchedulerClient } from '../../scheduler-client/scheduler-client.js';
import type { PieceFetcher } from '../fetch/piece-fetcher.js';
import type { ParentDialer } from '../parents/parent-dialer.js';
import type { StoredTask } from '../store/stored-task.js';
import type { TaskStore } from '../store/task-store.js';
import type { DownloadBudgets } from './download-budgets.js';
import type { DistrustedHosts } from './distrusted-hosts.js';
import type { DownloadSettings } from './download-request.js';
import type { OriginRooms } from './origin-rooms.js';
import type { RememberedHosts } from './remembered-hosts.js';

export interface OwnHost {
  id: string;
  newPeerId(): string;
  /** Other peers dial us there. */
  isAt(address: { ip: string; port: number }): boolean;
}

/** What a download needs of the world; the simulator brings its own. */
export interface DownloadDependencies {
  store: TaskStore;
  fetcher: PieceFetcher;
  /** Undefined: alone, everything comes from the origin. */
  scheduler: SchedulerClient | undefined;
  parents: ParentDialer;
  /** Ours, for registrations. */
  host: OwnHost;
  budgets: DownloadBudgets;
  /** A budget of one download's own; closed with it. */
  createBudget(bytesPerSecond: number): ByteBudget & { close(): void };
  /** How many of those who listen to us have a piece of a task, or have asked for it. */
  copies(taskId: TaskId, number: number): number;
  /** Somebody listens to what we have of a task. */
  hasChildren(taskId: TaskId): boolean;
  /** Has older tasks make room on a full disk. False when even that would not be enough. Never rejects. */
  makeRoom(bytes: number): Promise<boolean>;
  /** Takes over work that nobody need wait for; a shutdown does. A failure is logged. */
  inBackground(work: Promise<void>): void;
  /** A complete copy was made, maybe without the scheduler's knowledge: then it is announced. Must return at once. */
  announceCopy?: (task: StoredTask) => void;
  /** Hosts whose pieces were bad lately; shared by all downloads of this node. */
  distrusted: DistrustedHosts;
  /** Hosts that showed no life lately; shared likewise. */
  silentHosts: RememberedHosts;
  /** Hosts that live and whose pieces nobody here got through to lately; shared likewise. */
  unreachableHosts: RememberedHosts;
  /** What origins take at once; shared likewise. */
  originRooms: OriginRooms;
  observer: DownloadObserver;
  /** Within a download: its span, to which the pieces belong. */
  tracer: Tracer;
  settings: DownloadSettings;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  logger: Logger;
}

/** Told of everything that metrics and operators want to know. */
export interface DownloadObserver {
  /** `costMs` from asking for it to its last byte. */
  pieceStored(trafficType: TrafficType, bytes: number, costMs: number): void;
  pieceFailed(from: string, code: string): void;
  badPiece(parentHostId: string): void;
}
