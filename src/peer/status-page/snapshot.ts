import { toPeerHost } from '../grpc/peer-host-message.js';
import type { DaemonView } from '../status/daemon-view.js';
import { pieceMap } from '../status/piece-map.js';
import { viewTask, type TaskView } from '../status/task-view.js';

/** Entries of each list that the status page is given; it says how many more there are. */
export const MAX_PAGE_TASKS = 50;
export const MAX_PAGE_TRANSFERS = 100;
export const MAX_PAGE_HOSTS = 50;
export const MAX_PAGE_WARNINGS = 50;

export interface PageTask extends TaskView {
  /** See {@link pieceMap}. */
  pieceMap: string;
}

/** What the status page shows, as it goes over the wire. Times are milliseconds since the Unix epoch. */
export function takeSnapshot(view: DaemonView) {
  const transfers = view.transfers(MAX_PAGE_TRANSFERS);
  const peers = view.peers(MAX_PAGE_HOSTS);
  return {
    daemon: { ...view.facts, nowMs: view.now, schedulers: view.schedulers(), storedBytes: view.storedBytes },
    throughput: view.throughput.now,
    transfers,
    tasks: pageTasks(view),
    peers: { entries: peers.entries.map(toPeerHost), total: peers.total },
    limits: view.limits,
    warnings: view.tail.entries(MAX_PAGE_WARNINGS),
  };
}

function pageTasks(view: DaemonView): { entries: PageTask[]; total: number } {
  const all = view.storedTasks();
  const uploads = view.uploadsByTask();
  const entries = all.slice(0, MAX_PAGE_TASKS).map((task) => ({
    ...viewTask(task, uploads.get(task.taskId) ?? 0),
    pieceMap: pieceMap(task, view.piecesUnderWay(task)),
  }));
  return { entries, total: all.length };
}
