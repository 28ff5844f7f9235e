import { formatBytes } from '../core/units.js';
import type { ListPeersResponse__Output } from '../generated/dfpeer/v1/ListPeersResponse.js';
import type { PeerHost__Output } from '../generated/dfpeer/v1/PeerHost.js';
import { age, more } from './show-tasks.js';
import { renderTable, type Column } from './table.js';

/** `dfdaemon peers` for people. @param nowMs the daemon's clock */
export function showPeers({ peers, total }: ListPeersResponse__Output, nowMs: number, width: number): string {
  if (total === 0) return 'no pieces have come from another host or gone to one yet\n';
  return renderTable(columns(nowMs), peers, width) + more(total, peers.length);
}

function columns(nowMs: number): Column<PeerHost__Output>[] {
  return [
    { title: 'HOST', flexible: { minWidth: 9 }, cell: ({ address }) => address },
    { title: 'FROM IT', align: 'right', cell: (peer) => formatBytes(peer.downloadedBytes) },
    { title: 'SPEED', align: 'right', cell: (peer) => speed(peer.downloadBytesPerSecond) },
    { title: 'FAILED', align: 'right', cell: (peer) => String(peer.failedPieces) },
    { title: 'BAD', align: 'right', cell: (peer) => String(peer.badPieces) },
    { title: 'TO IT', align: 'right', cell: (peer) => formatBytes(peer.uploadedBytes) },
    { title: 'SPEED', align: 'right', cell: (peer) => speed(peer.uploadBytesPerSecond) },
    { title: 'SEEN', align: 'right', cell: (peer) => (peer.running > 0 ? 'now' : age(nowMs - peer.lastSeenAtMs)) },
  ];
}

function speed(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? '-' : `${formatBytes(bytesPerSecond)}/s`;
}
