import { createHash } from 'node:crypto';
import { parseTaskId, type TaskId } from '../../src/core/task-id.js';
import type { HostAnnouncement, PeerRegistration, SchedulerPeer } from '../../src/scheduler/model.js';
import { SchedulerCore, type ScheduleDecision, type SchedulerCoreOptions } from '../../src/scheduler/scheduler-core.js';
import { ManualClock } from '../support/manual-clock.js';

export const PIECE_LENGTH = 4 * 1024 * 1024;

export function taskId(name = 'task'): TaskId {
  return parseTaskId(createHash('sha256').update(name).digest('hex'));
}

export function announcement(id: string, changes: Partial<HostAnnouncement> = {}): HostAnnouncement {
  return {
    id,
    hostname: id,
    ip: '127.0.0.1',
    type: 0,
    disableShared: false,
    idc: '',
    location: '',
    maxTxBitsPerSecond: 1e9,
    txBitsPerSecond: 0,
    intervalMs: 300_000,
    ...changes,
  };
}

export function registration(hostId: string, changes: Partial<PeerRegistration> = {}): PeerRegistration {
  return {
    id: `${hostId}-peer`,
    hostId,
    task: {
      id: taskId(),
      type: 0,
      url: 'http://origin/file',
      digest: undefined,
      tag: undefined,
      application: undefined,
      filteredQueryParams: [],
    },
    content: { contentLength: 10 * PIECE_LENGTH, pieceLength: PIECE_LENGTH, pieceCount: 10 },
    priority: 0,
    range: undefined,
    concurrentPieceCount: 8,
    needBackToSource: false,
    disableBackToSource: false,
    metadataOnly: false,
    leavesRings: true,
    ...changes,
  };
}

/** A scheduler core with its own time, and short words for what peers do. */
export class TestCluster {
  readonly clock = new ManualClock();
  readonly core: SchedulerCore;

  constructor(options: SchedulerCoreOptions = {}) {
    this.core = new SchedulerCore({ clock: this.clock, random: () => 0.5, ...options });
  }

  /** A host with a registered peer and its stream. */
  join(hostId: string, changes: Partial<PeerRegistration> = {}, host: Partial<HostAnnouncement> = {}): SchedulerPeer {
    if (!this.core.cluster.hosts.has(hostId)) this.core.announceHost(announcement(hostId, host));
    const peer = this.core.register(registration(hostId, changes));
    this.core.attachStream(peer);
    return peer;
  }

  decide(peer: SchedulerPeer, stream = new AbortController()): Promise<ScheduleDecision> {
    return this.core.decide(peer, stream.signal);
  }

  reschedule(peer: SchedulerPeer, blocked: readonly SchedulerPeer[] = []): Promise<ScheduleDecision> {
    const ids = blocked.map(({ id }) => id);
    return this.core.reschedule(peer, ids, new AbortController().signal);
  }

  /** A peer that downloads from the origin. */
  async source(hostId: string, host: Partial<HostAnnouncement> = {}): Promise<SchedulerPeer> {
    const peer = this.join(hostId, { needBackToSource: true }, host);
    await this.decide(peer);
    this.core.report(peer, { kind: 'back-to-source-started' });
    return peer;
  }

  /** A peer that has the whole task. */
  complete(
    hostId: string,
    changes: Partial<PeerRegistration> = {},
    host: Partial<HostAnnouncement> = {},
  ): SchedulerPeer {
    const peer = this.join(hostId, { ...changes, metadataOnly: true }, host);
    this.core.report(peer, { kind: 'started' });
    this.core.report(peer, { kind: 'finished', from: 'parents' });
    this.core.detachStream(peer);
    return peer;
  }
}

/** What a decision says, in a form that asserts can compare. */
export function summary(decision: ScheduleDecision): string | string[] {
  return decision.kind === 'parents' ? decision.parents.map(({ id }) => id).sort() : decision.kind;
}

/** A registration for a task of its own. */
export function ofTask(name: string): Pick<PeerRegistration, 'task'> {
  return { task: { ...registration(name).task, id: taskId(name) } };
}
