import { counted } from '../core/counted.js';
import { formatBytes } from '../core/units.js';
import type { CarriedBytes } from './daemon-call/story.js';
import type { DownloadResult } from './download-client.js';
import { hostOfPeer, type PeerShare, pieceRate } from './source-ledger.js';

const OUTPUT_WORDS: Readonly<Record<string, string>> = {
  'hard-link': 'a hard link to the stored file: no byte was copied',
  reflink: 'a reflink of the stored file: no byte was copied',
  'copy-file-range': 'a copy made within the kernel (copy_file_range)',
  copy: 'a copy of the stored file',
  'already-there': 'the stored file itself, which was there already',
  transferred: 'written by dfget, as the daemon sent the bytes through its socket',
  stdout: 'printed, by way of a temporary file',
};
/** More parents than these are added up. */
const MAX_SHOWN_SOURCES = 20;

/** --explain: where each byte came from and why, a line each. */
export function explain(result: DownloadResult): string[] {
  const { taskId, bytesBySource, story, firstPieceMs } = result;
  const lines = [`task ${taskId}`, `bytes: ${describeBytes(result)}`, ...describeShares(result)];
  if (bytesBySource.local > 0)
    lines.push(`local: ${formatBytes(bytesBySource.local)} were stored on this host already`);
  if (bytesBySource.origin > 0) lines.push(`why the origin: ${story.originReason ?? 'the daemon does not say'}`);
  if (story.firstByteMs !== undefined) lines.push(`first byte: after ${Math.round(story.firstByteMs)} ms`);
  if (firstPieceMs !== undefined) lines.push(`first piece: after ${Math.round(firstPieceMs)} ms, checked and stored`);
  return [...lines, `output: ${describeOutput(result)}`];
}

function describeBytes({ bytes, bytesBySource }: DownloadResult): string {
  const parts = (['peers', 'origin', 'local'] as const).map((source) => {
    const share = bytes === 0 ? 0 : Math.round((bytesBySource[source] / bytes) * 100);
    return `${source} ${formatBytes(bytesBySource[source])} (${share}%)`;
  });
  return parts.join(', ');
}

function describeShares({ shares, story }: DownloadResult): string[] {
  const hosts = addUpByHost(shares);
  const slowest = slowestOf(hosts);
  const lines = hosts.slice(0, MAX_SHOWN_SOURCES).flatMap(({ name, share }) => {
    const rate = pieceRate(share);
    const speed = rate === undefined ? '' : `, ${formatBytes(rate)}/s a piece`;
    const pieces = counted(share.pieces, 'piece');
    const line = `  ${name}: ${formatBytes(share.bytes)} in ${pieces}${speed}${name === slowest ? ', the slowest parent' : ''}`;
    return [line, ...describeCarriage(name, story.carried)];
  });
  const rest = hosts.slice(MAX_SHOWN_SOURCES).reduce((sum, { share }) => sum + share.bytes, 0);
  return rest === 0 ? lines : [...lines, `  ${hosts.length - MAX_SHOWN_SOURCES} others: ${formatBytes(rest)}`];
}

/** How its bytes left a parent, a line; none where the daemon says nothing of it. */
function describeCarriage(host: string, carried: readonly CarriedBytes[]): string[] {
  const bytesBy = new Map<string, number>();
  for (const { parentId, protocol, route, reason, bytes } of carried) {
    if (hostOfPeer(parentId) !== host) continue;
    const way = `${protocol}, ${route === undefined ? 'route not told' : `${route} (${reason ?? 'no reason told'})`}`;
    bytesBy.set(way, (bytesBy.get(way) ?? 0) + bytes);
  }
  if (bytesBy.size === 0) return [];
  const ways = [...bytesBy].map(([way, bytes]) => (bytesBy.size === 1 ? way : `${way} ${formatBytes(bytes)}`));
  return [`    over ${ways.join('; ')}`];
}

function addUpByHost(shares: readonly PeerShare[]): { name: string; share: PeerShare }[] {
  const hosts = new Map<string, PeerShare>();
  for (const share of shares) {
    const name = share.peerId === undefined ? 'origin' : hostOfPeer(share.peerId);
    const known = hosts.get(name);
    if (known === undefined) hosts.set(name, { ...share });
    else {
      known.bytes += share.bytes;
      known.pieces += share.pieces;
      known.busyMs += share.busyMs;
    }
  }
  return [...hosts].map(([name, share]) => ({ name, share }));
}

/** Only worth saying when there is another one to compare with. */
function slowestOf(hosts: readonly { name: string; share: PeerShare }[]): string | undefined {
  const parents = hosts.filter(({ share }) => share.peerId !== undefined && pieceRate(share) !== undefined);
  if (parents.length < 2) return undefined;
  return parents.reduce((slow, each) => ((pieceRate(each.share) ?? 0) < (pieceRate(slow.share) ?? 0) ? each : slow))
    .name;
}

function describeOutput({ outputMethod }: DownloadResult): string {
  if (outputMethod === undefined) return 'the daemon does not say how it was made';
  return OUTPUT_WORDS[outputMethod] ?? outputMethod;
}
