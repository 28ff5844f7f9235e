import type { PeerHost } from '../../generated/dfpeer/v1/PeerHost.js';
import { speedOf, type WatchedHost } from '../status/host-ledger.js';

/** A host as ListPeers tells it. */
export function toPeerHost({ address, downloads, uploads, badPieces, lastSeenMs }: WatchedHost): PeerHost {
  return {
    address,
    downloadedBytes: downloads.bytes,
    downloadedPieces: downloads.completed,
    failedPieces: downloads.failed,
    badPieces,
    downloadBytesPerSecond: speedOf(downloads),
    uploadedBytes: uploads.bytes,
    uploads: uploads.completed,
    failedUploads: uploads.failed,
    uploadBytesPerSecond: speedOf(uploads),
    lastSeenAtMs: lastSeenMs,
    running: downloads.running + uploads.running,
  };
}
