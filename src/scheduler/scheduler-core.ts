import { type Clock, systemClock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import { type Logger, silentLogger } from '../core/logger.js';
import { Cluster } from './cluster.js';
import {
  DEFAULT_SCHEDULER_LIMITS,
  DEFAULT_SCHEDULER_TIMINGS,
  type SchedulerLimits,
  type SchedulerTimings,
} from './limits.js';
import { Matchmaker, type MatchDecision } from './matchmaker.js';
import type { HostAnnouncement, PeerRegistration, SchedulerHost, SchedulerPeer, SchedulerTask } from './model.js';
import { blockParent, dropEdges, setParents } from './peer-edges.js';
import { ParentUpdates } from './parent-updates.js';
import type { PeerReport } from './peer-report.js';
import { isFinished, nextPeerState, type PeerEvent, type PeerState } from './peer-state.js';

export type ScheduleDecision = MatchDecision | { kind: 'empty' } | { kind: 'metadata-only' };

export interface SchedulerCoreOptions {
  limits?: Partial<SchedulerLimits>;
  timings?: Partial<SchedulerTimings>;
  clock?: Clock;
  /** Evenly from [0, 1). */
  random?: () => number;
  logger?: Logger;
}

/** The rules of a v2 scheduler (docs/WIRE.md 1.4 to 1.7), without messages and sockets. */
export class SchedulerCore {
  readonly cluster: Cluster;
  readonly matchmaker: Matchmaker;
  readonly updates: ParentUpdates;
  readonly limits: Readonly<SchedulerLimits>;
  readonly #timings: SchedulerTimings;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: SchedulerCoreOptions = {}) {
    const { clock = systemClock, random = Math.random, logger = silentLogger } = options;
    this.limits = { ...DEFAULT_SCHEDULER_LIMITS, ...options.limits };
    this.#timings = { ...DEFAULT_SCHEDULER_TIMINGS, ...options.timings };
    this.#clock = clock;
    this.#logger = logger;
    const timings = this.#timings;
    this.cluster = new Cluster({ limits: this.limits, timings, clock });
    this.matchmaker = new Matchmaker({ clock, timings, selection: { maxParents: this.limits.maxParents, random } });
    this.updates = new ParentUpdates({ clock, findMore: (peer) => this.matchmaker.findMore(peer) });
  }

  announceHost(announcement: HostAnnouncement): SchedulerHost {
    if (!this.cluster.hosts.has(announcement.id))
      this.#logger.info({ hostId: announcement.id, ip: announcement.ip }, 'host joined');
    return this.cluster.announceHost(announcement);
  }

  /** Drops the host and all its peers. @throws DfpeerError DFP_HOST_NOT_FOUND */
  deleteHost(hostId: string): void {
    const host = this.cluster.hosts.get(hostId);
    if (host === undefined) throw new DfpeerError('DFP_HOST_NOT_FOUND', `host ${hostId} not found`);
    this.#dropHost(host, 'it said goodbye');
  }

  /**
   * Adds a peer. @throws DfpeerError DFP_PEER_NOT_FOUND for an unknown host (the wire's own words), DFP_PEER_STATE for a peer id that
   * has registered before, DFP_LIMIT
   */
  register(registration: PeerRegistration): SchedulerPeer {
    const host = this.cluster.hosts.get(registration.hostId);
    if (host === undefined) throw peerNotFound(registration.id);
    const known = this.cluster.peers.get(registration.id);
    if (known !== undefined)
      throw new DfpeerError('DFP_PEER_STATE', `event RegisterNormal inappropriate in current state ${known.state}`);
    const task = this.cluster.taskFor(registration.task);
    // The first to tell decides, until a failed download from the source makes it unknown again.
    if (task.content.contentLength === undefined || task.peers.size === 0) task.content = registration.content;
    if (![...task.peers.values()].some((other) => other.state === 'Succeeded')) task.state = 'Running';
    const peer = this.cluster.addPeer(registration, host, task);
    this.#move(peer, this.#isEmpty(peer) ? 'RegisterEmpty' : 'RegisterNormal');
    return peer;
  }

  /** The answer to a registration or a reschedule. Rejects with the signal's reason, or when the peer is deleted meanwhile. */
  async decide(peer: SchedulerPeer, signal: AbortSignal): Promise<ScheduleDecision> {
    if (peer.metadataOnly) return { kind: 'metadata-only' };
    if (peer.state === 'ReceivedEmpty') return { kind: 'empty' };
    return this.matchmaker.match(peer, signal);
  }

  /** Blocks `parentIds` for the peer and decides anew. */
  async reschedule(peer: SchedulerPeer, parentIds: readonly string[], signal: AbortSignal): Promise<ScheduleDecision> {
    if (isFinished(peer.state))
      throw new DfpeerError('DFP_PEER_STATE', `reschedule inappropriate in current state ${peer.state}`);
    for (const parentId of parentIds) blockParent(peer, parentId, this.limits.maxBlockedParents);
    this.cluster.touch(peer);
    return this.decide(peer, signal);
  }

  /** @throws DfpeerError DFP_PEER_STATE when the report doesn't fit the peer's state; the peer is failed then. */
  report(peer: SchedulerPeer, report: PeerReport): void {
    this.cluster.touch(peer);
    switch (report.kind) {
      case 'started':
        return this.#move(peer, 'Download');
      case 'back-to-source-started':
        return this.#move(peer, 'DownloadBackToSource');
      case 'piece-finished':
        return this.#pieceFinished(peer, report.costMs, report.parentId);
      case 'piece-failed':
        return this.#pieceFailed(peer, report.parentId, report.temporary);
      case 'piece-from-source-failed':
        return;
      case 'finished':
        return this.#finished(peer, report.from);
      case 'failed':
        return this.#failed(peer, report.from, report.description);
    }
  }

  /** @throws DfpeerError DFP_PEER_NOT_FOUND */
  peer(peerId: string): SchedulerPeer {
    const peer = this.cluster.peers.get(peerId);
    if (peer === undefined) throw peerNotFound(peerId);
    return peer;
  }

  /** @throws DfpeerError DFP_TASK_NOT_FOUND */
  task(taskId: string): SchedulerTask {
    const task = this.cluster.tasks.get(taskId);
    if (task === undefined) throw new DfpeerError('DFP_TASK_NOT_FOUND', `task ${taskId} not found`);
    return task;
  }

  /** An unknown peer is fine: it is gone, as asked. */
  deletePeer(peerId: string): void {
    const peer = this.cluster.peers.get(peerId);
    if (peer !== undefined) this.#dropPeer(peer);
  }

  /** The host has no copy of the task any more. @throws DfpeerError DFP_HOST_NOT_FOUND */
  deleteTask(hostId: string, taskId: string): void {
    const host = this.cluster.hosts.get(hostId);
    if (host === undefined) throw new DfpeerError('DFP_HOST_NOT_FOUND', `host ${hostId} not found`);
    for (const peer of [...host.peers.values()]) if (peer.task.id === taskId) this.#dropPeer(peer);
  }

  /** A stream carries the peer's reports from now on. */
  attachStream(peer: SchedulerPeer): void {
    peer.streamCount++;
    peer.cancelGrace?.();
    peer.cancelGrace = undefined;
  }

  /** The stream ended. A peer that hadn't finished fails after a grace, unless it comes back. */
  detachStream(peer: SchedulerPeer): void {
    peer.streamCount--;
    if (peer.streamCount > 0 || isFinished(peer.state)) return;
    // Nobody waits for a peer that has vanished on its way to the source.
    if (peer.sourceClaim !== undefined) {
      this.matchmaker.releaseSourceClaim(peer);
      this.matchmaker.taskChanged(peer.task);
    }
    const giveUp = (): void => {
      peer.cancelGrace = undefined;
      this.#failed(peer, 'parents', 'its stream broke');
    };
    peer.cancelGrace = this.#clock.after(this.#timings.streamGraceMs, giveUp, { unref: true });
  }

  /** Drops whatever has been silent for too long. For `unheardMs` of that time this process was held up, and could hear nobody. */
  collectGarbage(unheardMs = 0): void {
    this.cluster.excuse(unheardMs);
    for (const host of this.cluster.silentHosts()) this.#dropHost(host, 'it has not announced itself for too long');
    for (const peer of this.cluster.stalePeers()) this.#dropPeer(peer);
    for (const task of this.cluster.idleTasks()) this.cluster.tasks.delete(task.id);
  }

  #isEmpty({ content, metadataOnly, task }: SchedulerPeer): boolean {
    return !metadataOnly && (content.contentLength ?? task.content.contentLength) === 0;
  }

  #pieceFinished(peer: SchedulerPeer, costMs: number, parentId: string | undefined): void {
    peer.costs.add(costMs);
    const parent = parentId === undefined ? undefined : peer.task.peers.get(parentId);
    if (parent !== undefined) this.cluster.touch(parent);
  }

  #pieceFailed(peer: SchedulerPeer, parentId: string, temporary: boolean): void {
    if (!temporary) return;
    const parent = peer.task.peers.get(parentId);
    if (parent !== undefined) parent.host.failedPieceCount++;
    blockParent(peer, parentId, this.limits.maxBlockedParents);
  }

  #finished(peer: SchedulerPeer, from: 'parents' | 'source'): void {
    this.#move(peer, 'DownloadSucceeded');
    const isComplete = peer.range === undefined && (from === 'source' || peer.metadataOnly);
    if (isComplete) peer.task.state = 'Succeeded';
    if (peer.range === undefined) this.#dropEarlierCopies(peer);
  }

  /** A daemon that was killed announces what it holds anew: one copy would be offered under as many names as it has had lives. */
  #dropEarlierCopies(peer: SchedulerPeer): void {
    for (const other of [...peer.host.peers.values()])
      if (other !== peer && other.task === peer.task && other.state === 'Succeeded') this.#dropPeer(other);
  }

  #failed(peer: SchedulerPeer, from: 'parents' | 'source', description: string): void {
    this.#logger.info({ peerId: peer.id, taskId: peer.task.id, description }, 'peer failed');
    this.#move(peer, 'DownloadFailed');
    if (from !== 'source') return;
    peer.task.state = 'Failed';
    peer.task.content = { contentLength: undefined, pieceLength: undefined, pieceCount: undefined };
  }

  #move(peer: SchedulerPeer, event: PeerEvent): void {
    try {
      peer.state = nextPeerState(peer.state, event);
    } catch (error) {
      if (!isFinished(peer.state)) this.#settle(peer, 'Failed');
      throw error;
    }
    if (isFinished(peer.state)) return this.#settle(peer, peer.state);
    this.updates.taskChanged(peer.task);
    // Only a peer at the origin is news for those who wait: one that merely registered or started has nothing yet.
    if (event !== 'DownloadBackToSource') return;
    this.matchmaker.releaseSourceClaim(peer);
    this.matchmaker.taskChanged(peer.task);
  }

  #settle(peer: SchedulerPeer, state: PeerState): void {
    peer.state = state;
    peer.finishedAtMs ??= this.#clock.now();
    this.matchmaker.releaseSourceClaim(peer);
    // A complete peer goes on giving, but no longer burdens its parents.
    if (state === 'Succeeded') setParents(peer, []);
    else dropEdges(peer);
    this.#changed(peer.task);
  }

  #dropHost(host: SchedulerHost, why: string): void {
    this.#logger.info({ hostId: host.id, peers: host.peers.size }, `host dropped: ${why}`);
    this.cluster.hosts.delete(host.id);
    for (const peer of [...host.peers.values()]) this.#dropPeer(peer);
  }

  #dropPeer(peer: SchedulerPeer): void {
    this.cluster.removePeer(peer);
    this.matchmaker.forget(peer, peerNotFound(peer.id));
    this.#changed(peer.task);
  }

  /** Whoever waits for a parent, or could use another one, may have it now. */
  #changed(task: SchedulerTask): void {
    this.matchmaker.taskChanged(task);
    this.updates.taskChanged(task);
  }
}

function peerNotFound(peerId: string): DfpeerError {
  return new DfpeerError('DFP_PEER_NOT_FOUND', `peer ${peerId} not found; announce its host, then register it`);
}
