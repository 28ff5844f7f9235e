import type { Clock } from '../core/clock.js';
import { DfpeerError } from '../core/errors.js';
import type { SchedulerLimits, SchedulerTimings } from './limits.js';
import type {
  HostAnnouncement,
  PeerRegistration,
  SchedulerHost,
  SchedulerPeer,
  SchedulerTask,
  TaskDescription,
} from './model.js';
import { dropEdges } from './peer-edges.js';
import { isFinished } from './peer-state.js';
import { PieceCosts } from './piece-costs.js';

export interface ClusterOptions {
  limits: SchedulerLimits;
  timings: SchedulerTimings;
  clock: Clock;
}

/** Hosts, tasks and peers, and who belongs to whom. Knows bounds and ages; decides nothing. */
export class Cluster {
  readonly hosts = new Map<string, SchedulerHost>();
  readonly tasks = new Map<string, SchedulerTask>();
  readonly peers = new Map<string, SchedulerPeer>();
  readonly #limits: SchedulerLimits;
  readonly #timings: SchedulerTimings;
  readonly #clock: Clock;

  constructor({ limits, timings, clock }: ClusterOptions) {
    this.#limits = limits;
    this.#timings = timings;
    this.#clock = clock;
  }

  /** Adds or refreshes a host; a known one keeps its hostname and ip. @throws DfpeerError DFP_LIMIT when full. */
  announceHost(announcement: HostAnnouncement): SchedulerHost {
    const seen = { seenAtMs: this.#clock.monotonicMs(), failedPieceCount: 0 };
    const known = this.hosts.get(announcement.id);
    if (known !== undefined) {
      const { hostname, ip } = known;
      return Object.assign(known, announcement, { hostname, ip }, seen);
    }
    if (this.hosts.size >= this.#limits.maxHosts) refuse('hosts', this.#limits.maxHosts);
    const host: SchedulerHost = { ...announcement, ...seen, peers: new Map() };
    this.hosts.set(host.id, host);
    return host;
  }

  /** The task of a registration, made when it is new. @throws DfpeerError DFP_LIMIT when all tasks are in use. */
  taskFor(description: TaskDescription): SchedulerTask {
    const known = this.tasks.get(description.id);
    if (known !== undefined) {
      // Later registrations may bring another signed URL for the same content.
      const { url, filteredQueryParams } = description;
      return Object.assign(known, { url, filteredQueryParams, ...this.#touched() });
    }
    if (this.tasks.size >= this.#limits.maxTasks) this.#evictTask();
    const task: SchedulerTask = {
      ...description,
      content: { contentLength: undefined, pieceLength: undefined, pieceCount: undefined },
      state: 'Pending',
      peers: new Map(),
      createdAtMs: this.#clock.now(),
      ...this.#touched(),
    };
    this.tasks.set(task.id, task);
    return task;
  }

  /** @throws DfpeerError DFP_LIMIT when the task or the cluster is full of peers at work. */
  addPeer(registration: PeerRegistration, host: SchedulerHost, task: SchedulerTask): SchedulerPeer {
    if (task.peers.size >= this.#limits.maxPeersPerTask) this.#evictPeer(task.peers, this.#limits.maxPeersPerTask);
    if (this.peers.size >= this.#limits.maxPeers) this.#evictPeer(this.peers, this.#limits.maxPeers);
    const nowMs = this.#clock.now();
    const peer: SchedulerPeer = {
      ...registration,
      host,
      task,
      state: 'Pending',
      blocked: new Set(),
      parents: new Set(),
      children: new Set(),
      costs: new PieceCosts(),
      streamCount: 0,
      sourceClaim: undefined,
      cancelGrace: undefined,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      finishedAtMs: undefined,
      seenAtMs: this.#clock.monotonicMs(),
    };
    for (const peers of [this.peers, task.peers, host.peers]) peers.set(peer.id, peer);
    return peer;
  }

  removePeer(peer: SchedulerPeer): void {
    peer.sourceClaim?.cancelTimer();
    peer.sourceClaim = undefined;
    peer.cancelGrace?.();
    peer.cancelGrace = undefined;
    peer.state = 'Leave';
    dropEdges(peer);
    for (const peers of [this.peers, peer.task.peers, peer.host.peers]) peers.delete(peer.id);
    Object.assign(peer.task, this.#touched());
  }

  touch(peer: SchedulerPeer): void {
    peer.updatedAtMs = this.#clock.now();
    peer.seenAtMs = this.#clock.monotonicMs();
    peer.host.seenAtMs = peer.seenAtMs;
    Object.assign(peer.task, this.#touched());
  }

  /** Whoever was not heard for so long was not silent: nobody listened. */
  excuse(ms: number): void {
    for (const host of this.hosts.values()) host.seenAtMs += ms;
    for (const peer of this.peers.values()) peer.seenAtMs += ms;
    for (const task of this.tasks.values()) task.usedAtMs += ms;
  }

  /** Hosts that have been silent for two of their intervals. */
  silentHosts(): SchedulerHost[] {
    return [...this.hosts.values()].filter((host) => {
      const patienceMs = host.intervalMs > 0 ? 2 * host.intervalMs : this.#timings.hostIdleMs;
      return this.#ageMs(host.seenAtMs) > patienceMs;
    });
  }

  /** Peers that failed a while ago, or stopped reporting before they finished. Complete ones stay as long as their host. */
  stalePeers(): SchedulerPeer[] {
    return [...this.peers.values()].filter((peer) => {
      if (peer.state === 'Succeeded') return false;
      const patienceMs = peer.state === 'Failed' ? this.#timings.gcIntervalMs : this.#timings.peerIdleMs;
      return this.#ageMs(peer.seenAtMs) > patienceMs;
    });
  }

  idleTasks(): SchedulerTask[] {
    return [...this.tasks.values()].filter(
      (task) => task.peers.size === 0 && this.#ageMs(task.usedAtMs) > this.#timings.taskIdleMs,
    );
  }

  #touched(): { usedAtMs: number; updatedAtMs: number } {
    return { usedAtMs: this.#clock.monotonicMs(), updatedAtMs: this.#clock.now() };
  }

  #ageMs(sinceMs: number): number {
    return this.#clock.monotonicMs() - sinceMs;
  }

  /** Makes room by forgetting a peer that failed, or else the complete one that was seen longest ago. */
  #evictPeer(peers: ReadonlyMap<string, SchedulerPeer>, limit: number): void {
    const finished = [...peers.values()].filter((peer) => isFinished(peer.state));
    const oldest = leastBy(finished, (peer) => (peer.state === 'Succeeded' ? peer.seenAtMs : -Infinity));
    if (oldest === undefined) refuse('peers at work', limit);
    this.removePeer(oldest);
  }

  /** Makes room by forgetting the task that nobody works on and that was used longest ago. */
  #evictTask(): void {
    const idle = [...this.tasks.values()].filter((task) =>
      [...task.peers.values()].every((peer) => isFinished(peer.state)),
    );
    const oldest = leastBy(idle, (task) => task.usedAtMs);
    if (oldest === undefined) refuse('tasks at work', this.#limits.maxTasks);
    for (const peer of [...oldest.peers.values()]) this.removePeer(peer);
    this.tasks.delete(oldest.id);
  }
}

function leastBy<T>(items: readonly T[], key: (item: T) => number): T | undefined {
  let least: T | undefined;
  for (const item of items) if (least === undefined || key(item) < key(least)) least = item;
  return least;
}

function refuse(what: string, limit: number): never {
  throw new DfpeerError(
    'DFP_LIMIT',
    `the embedded scheduler keeps at most ${limit} ${what}; use Dragonfly's scheduler`,
  );
}
