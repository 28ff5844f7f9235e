import type { TaskId } from '../core/task-id.js';
import type { AnnounceHostRequest__Output } from '../generated/scheduler/v2/AnnounceHostRequest.js';
import type { AnnouncePeerRequest__Output } from '../generated/scheduler/v2/AnnouncePeerRequest.js';
import type { Download__Output } from '../generated/common/v2/Download.js';
import type { Host__Output } from '../generated/common/v2/Host.js';
import type { Piece__Output } from '../generated/common/v2/Piece.js';
import { fromWireLength, fromWireTime } from '../grpc/wire.js';
import type { HostAnnouncement, PeerRegistration } from './model.js';
import type { PeerReport } from './peer-report.js';

/** The core's view of validated messages. */

export function toHostAnnouncement(host: Host__Output, request: AnnounceHostRequest__Output): HostAnnouncement {
  const { id, hostname, ip, type, disableShared, network } = host;
  return {
    id,
    hostname,
    ip,
    type,
    disableShared,
    idc: network?.idc ?? '',
    location: network?.location ?? '',
    maxTxBitsPerSecond: network?.maxTxBandwidth ?? 0,
    txBitsPerSecond: network?.txBandwidth ?? 0,
    intervalMs: Math.max(fromWireTime(request.interval) ?? 0, 0),
  };
}

export interface PeerIds {
  hostId: string;
  taskId: TaskId;
  peerId: string;
}

/** `isOurs`: the client is a dfpeer. */
export function toPeerRegistration(ids: PeerIds, download: Download__Output, isOurs: boolean): PeerRegistration {
  const { url, digest, tag, application, type, range, priority, concurrentPieceCount } = download;
  return {
    id: ids.peerId,
    hostId: ids.hostId,
    task: {
      id: ids.taskId,
      type,
      url,
      digest,
      tag,
      application,
      filteredQueryParams: download.filteredQueryParams,
    },
    content: {
      contentLength: fromWireLength(download.actualContentLength),
      pieceLength: fromWireLength(download.actualPieceLength),
      pieceCount: fromWireLength(download.actualPieceCount),
    },
    priority,
    range: range === undefined || range === null ? undefined : { offset: range.start, length: range.length },
    concurrentPieceCount,
    needBackToSource: download.needBackToSource,
    disableBackToSource: download.disableBackToSource,
    metadataOnly: download.metadataOnly,
    leavesRings: isOurs && !download.disableBackToSource,
  };
}

export type PeerRequest =
  | { kind: 'register'; download: Download__Output }
  | { kind: 'reschedule'; parentIds: string[] }
  | { kind: 'report'; report: PeerReport; isLast: boolean };

/** Which of the twelve requests a validated message is. */
export function toPeerRequest(message: AnnouncePeerRequest__Output): PeerRequest | undefined {
  const report = (report: PeerReport, isLast = false): PeerRequest => ({ kind: 'report', report, isLast });
  switch (message.request) {
    case 'registerPeerRequest': {
      const download = message.registerPeerRequest?.download;
      return download ? { kind: 'register', download } : undefined;
    }
    case 'reschedulePeerRequest': {
      const parents = message.reschedulePeerRequest?.candidateParents ?? [];
      return { kind: 'reschedule', parentIds: parents.map((parent) => parent.id) };
    }
    case 'downloadPeerStartedRequest':
      return report({ kind: 'started' });
    case 'downloadPeerBackToSourceStartedRequest':
      return report({ kind: 'back-to-source-started' });
    case 'downloadPieceFinishedRequest': {
      const piece = message.downloadPieceFinishedRequest?.piece;
      return report({ kind: 'piece-finished', costMs: costOf(piece), parentId: piece?.parentId });
    }
    case 'downloadPieceBackToSourceFinishedRequest':
      return report({
        kind: 'piece-finished',
        costMs: costOf(message.downloadPieceBackToSourceFinishedRequest?.piece),
      });
    case 'downloadPieceFailedRequest': {
      const { parentId = '', temporary = false } = message.downloadPieceFailedRequest ?? {};
      return report({ kind: 'piece-failed', parentId, temporary });
    }
    case 'downloadPieceBackToSourceFailedRequest':
      return report({ kind: 'piece-from-source-failed' });
    case 'downloadPeerFinishedRequest':
      return report({ kind: 'finished', from: 'parents' }, true);
    case 'downloadPeerBackToSourceFinishedRequest':
      return report({ kind: 'finished', from: 'source' }, true);
    case 'downloadPeerFailedRequest': {
      const description = message.downloadPeerFailedRequest?.description ?? '';
      return report({ kind: 'failed', from: 'parents', description }, true);
    }
    case 'downloadPeerBackToSourceFailedRequest': {
      const description = message.downloadPeerBackToSourceFailedRequest?.description ?? '';
      return report({ kind: 'failed', from: 'source', description }, true);
    }
    default:
      return undefined;
  }
}

function costOf(piece: Piece__Output | null | undefined): number {
  return Math.max(fromWireTime(piece?.cost) ?? 0, 0);
}
