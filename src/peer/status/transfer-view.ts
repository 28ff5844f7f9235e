import type { LiveUpload } from '../../upload/index.js';
import type { LiveFetch } from './watched-fetcher.js';

/** One range on its way to or from this host. */
export interface TransferView {
  direction: 'upload' | 'download';
  taskId: string;
  /** The other side's address. */
  peer: string;
  /** Of the child, where it gave one. */
  peerId: string;
  protocol: 'http' | 'vortex' | 'origin';
  route: string;
  reason: string;
  offset: number;
  /** Absent: to the end of a content of unknown length. */
  length?: number;
  bytes: number;
  startedAtMs: number;
  /** Of the last seconds. */
  bytesPerSecond: number;
  waitingFor: 'client' | 'bandwidth' | 'piece' | 'source';
}

export function viewUpload(upload: LiveUpload, bytesPerSecond: number): TransferView {
  const { taskId, childIp, childPeerId, protocol, route, reason, offset, length, bytesSent, sinceMs } = upload;
  return {
    direction: 'upload',
    taskId,
    peer: childIp,
    peerId: childPeerId,
    protocol,
    route,
    reason,
    offset,
    length,
    bytes: bytesSent,
    startedAtMs: sinceMs,
    bytesPerSecond,
    waitingFor: upload.waitingFor,
  };
}

export function viewFetch(fetch: LiveFetch, bytesPerSecond: number): TransferView {
  const { route, taskId, address, protocol, offset, length, bytes, sinceMs } = fetch;
  return {
    direction: 'download',
    taskId,
    peer: address,
    peerId: '',
    protocol,
    route,
    reason: route === 'parent' ? 'offered' : 'back-to-source',
    offset,
    ...(length === undefined ? {} : { length }),
    bytes,
    startedAtMs: sinceMs,
    bytesPerSecond,
    waitingFor: 'source',
  };
}
