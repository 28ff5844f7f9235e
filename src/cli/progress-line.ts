import { styleText } from 'node:util';
import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadProgress } from './download-client.js';
import type { ListProgress } from './list-tally.js';

/** What one line is drawn on, and what only the display knows. */
export interface LineView {
  bytesPerSecond: number;
  columns: number;
  color: boolean;
}

type BytesBySource = DownloadProgress['bytesBySource'];
type Source = keyof BytesBySource;
const SOURCES: readonly Source[] = ['peers', 'origin', 'local'];
const COLORS = { peers: 'green', origin: 'yellow', local: 'cyan' } as const;
const MIN_BAR_WIDTH = 5;
const MAX_BAR_WIDTH = 40;

/** Of one download. */
export function renderProgressLine(progress: DownloadProgress, view: LineView): string {
  const { bytes, wantedBytes } = progress;
  if (wantedBytes === undefined) return fitUnmeasured([formatBytes(bytes), rate(view), 'length not told'], view);
  const share = wantedBytes === 0 ? 1 : bytes / wantedBytes;
  const amount = `${formatBytes(bytes)}/${formatBytes(wantedBytes)}`;
  const parts = [amount, rate(view), `ETA ${timeFor(wantedBytes - bytes, view)}`, sourceSummary(progress)];
  return fitLine(parts, { ...progress, share }, view);
}

/** Of all downloads of a list together. How long it takes is known once all have begun. */
export function renderListLine(list: ListProgress, view: LineView): string {
  const { files, ended, failed, bytes, bytesLeft, share } = list;
  const parts = [
    `${ended}/${files} files`,
    failed === 0 ? '' : `${failed} failed`,
    formatBytes(bytes),
    rate(view),
    bytesLeft === undefined ? '' : `ETA ${timeFor(bytesLeft, view)}`,
    sourceSummary(list),
  ];
  return fitLine(parts, { ...list, share }, view);
}

/** "peers 60%, origin 40%"; empty before the first byte. */
export function sourceSummary({ bytes, bytesBySource }: Pick<DownloadProgress, 'bytes' | 'bytesBySource'>): string {
  const parts = SOURCES.filter((source) => bytesBySource[source] > 0).map(
    (source) => `${source} ${Math.round((bytesBySource[source] / bytes) * 100)}%`,
  );
  return parts.join(', ');
}

/** Without a bar: nobody knows of what. */
function fitUnmeasured(parts: readonly string[], { columns }: LineView): string {
  return parts.join('  ').slice(0, Math.max(columns - 1, 1));
}

interface Filling {
  /** 0 to 1 */
  share: number;
  bytes: number;
  bytesBySource: BytesBySource;
}

/** One line that fits its terminal: what doesn't fit is left out from the right, the bar shrinks first. */
function fitLine(parts: readonly string[], filling: Filling, { columns, color }: LineView): string {
  const width = Math.max(columns - 1, 1);
  let line = `${Math.floor(filling.share * 100)}%`.padStart(4);
  for (const part of parts) {
    if (part === '') continue;
    if (line.length + part.length + 2 > width - MIN_BAR_WIDTH - 3) break;
    line += `  ${part}`;
  }
  const barWidth = Math.min(width - line.length - 3, MAX_BAR_WIDTH);
  if (barWidth < MIN_BAR_WIDTH) return line.slice(0, width);
  return `[${renderBar(filling, barWidth, color)}] ${line}`;
}

function renderBar({ share, bytes, bytesBySource }: Filling, width: number, color: boolean): string {
  const filled = Math.floor(share * width);
  let bar = '';
  let shown = 0;
  let cells = 0;
  for (const source of SOURCES) {
    shown += bytesBySource[source];
    const end = bytes === 0 ? 0 : Math.floor((shown / bytes) * filled);
    const text = '#'.repeat(Math.max(end - cells, 0));
    bar += color && text !== '' ? styleText(COLORS[source], text, { validateStream: false }) : text;
    cells = Math.max(cells, end);
  }
  return bar + '#'.repeat(filled - cells) + '-'.repeat(width - filled);
}

function rate({ bytesPerSecond }: LineView): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

function timeFor(bytes: number, { bytesPerSecond }: LineView): string {
  return bytesPerSecond > 0 ? formatDurationMs((bytes / bytesPerSecond) * 1000) : '--';
}
