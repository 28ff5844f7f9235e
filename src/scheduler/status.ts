import type { PeerState } from './peer-state.js';
import type { SchedulerCore } from './scheduler-core.js';

/** What an operator wants to know of the embedded scheduler: counts. */
export interface SchedulerStatus {
  hosts: number;
  tasks: number;
  /** By state; states without peers are absent. */
  peers: Partial<Record<PeerState, number>>;
  streams: number;
  /** Peers that wait for their first parent. */
  waiting: number;
}

export function statusOf(core: SchedulerCore, streams: number): SchedulerStatus {
  const { hosts, tasks, peers } = core.cluster;
  const byState: Partial<Record<PeerState, number>> = {};
  for (const { state } of peers.values()) byState[state] = (byState[state] ?? 0) + 1;
  return { hosts: hosts.size, tasks: tasks.size, peers: byState, streams, waiting: core.matchmaker.waitingCount };
}
