import type { Host, Host__Output } from '../generated/common/v2/Host.js';
import type { Peer } from '../generated/common/v2/Peer.js';
import type { Task } from '../generated/common/v2/Task.js';
import { SizeScope } from '../generated/common/v2/SizeScope.js';
import type { AnnouncePeerResponse } from '../generated/scheduler/v2/AnnouncePeerResponse.js';
import { toDuration, toTimestamp, toWireLength } from '../grpc/wire.js';
import type { SchedulerHost, SchedulerPeer, SchedulerTask } from './model.js';
import type { ScheduleDecision } from './scheduler-core.js';

/** Writes the core's objects as messages. Hosts are given back as they announced themselves. */
export class WireOutput {
  readonly #announced = new WeakMap<SchedulerHost, Host__Output>();

  remember(host: SchedulerHost, announced: Host__Output): void {
    const { hostname, ip } = host;
    this.#announced.set(host, { ...announced, hostname, ip });
  }

  decision(decision: ScheduleDecision): AnnouncePeerResponse {
    switch (decision.kind) {
      case 'parents':
        return { normalTaskResponse: { candidateParents: decision.parents.map((peer) => this.peer(peer)) } };
      case 'back-to-source':
        return { needBackToSourceResponse: { description: decision.description } };
      case 'empty':
        return { emptyTaskResponse: {} };
      case 'metadata-only':
        return { metadataOnlyResponse: {} };
    }
  }

  peer(peer: SchedulerPeer): Peer {
    const { id, state, range, concurrentPieceCount, finishedAtMs, createdAtMs, updatedAtMs } = peer;
    return {
      id,
      state,
      priority: peer.priority,
      ...(range === undefined ? {} : { range: { start: range.offset, length: range.length } }),
      cost: toDuration(finishedAtMs === undefined ? 0 : Math.max(finishedAtMs - createdAtMs, 0)),
      task: this.task(peer.task),
      host: this.#candidateHost(peer.host),
      needBackToSource: peer.state === 'BackToSource' || peer.needBackToSource,
      createdAt: toTimestamp(createdAtMs),
      updatedAt: toTimestamp(updatedAtMs),
      ...(concurrentPieceCount === undefined ? {} : { concurrentPieceCount }),
    };
  }

  /** Without the request headers of the first peer: they may hold its credentials. */
  task(task: SchedulerTask): Task {
    const { id, url, digest, tag, application, filteredQueryParams, content, state, peers } = task;
    return {
      id,
      type: task.type,
      url,
      ...(digest === undefined ? {} : { digest }),
      ...(tag === undefined ? {} : { tag }),
      ...(application === undefined ? {} : { application }),
      filteredQueryParams: [...filteredQueryParams],
      contentLength: toWireLength(content.contentLength),
      pieceCount: content.pieceCount ?? 0,
      sizeScope: content.contentLength === 0 ? SizeScope.EMPTY : SizeScope.NORMAL,
      state,
      peerCount: peers.size,
      hasAvailablePeer: [...peers.values()].some(isAvailable),
      createdAt: toTimestamp(task.createdAtMs),
      updatedAt: toTimestamp(task.updatedAtMs),
    };
  }

  host(host: SchedulerHost): Host {
    return this.#announced.get(host) ?? { id: host.id, hostname: host.hostname, ip: host.ip, type: host.type };
  }

  /** As Dragonfly's scheduler does, without what concerns only the host itself. */
  #candidateHost(host: SchedulerHost): Host {
    return { ...this.host(host), name: '', schedulerClusterId: 0, disableShared: false };
  }
}

function isAvailable(peer: SchedulerPeer): boolean {
  return peer.state === 'Running' || peer.state === 'BackToSource' || peer.state === 'Succeeded';
}
