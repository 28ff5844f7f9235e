import { styleText } from 'node:util';
import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadProgress } from './download-client.js';

/** What one line of progress is made of. */
export interface ProgressView {
  progress: DownloadProgress;
  elapsedMs: number;
  bytesPerSecond: number;
  columns: number;
  color: boolean;
}

type Source = keyof DownloadProgress['bytesBySource'];
const SOURCES: readonly Source[] = ['peers', 'origin', 'local'];
const COLORS = { peers: 'green', origin: 'yellow', local: 'cyan' } as const;
const MIN_BAR_WIDTH = 5;
const MAX_BAR_WIDTH = 40;

/** One line that fits its terminal: what doesn't fit is left out from the right, the bar shrinks first. */
export function renderProgressLine({ progress, bytesPerSecond, columns, color }: ProgressView): string {
  const share = progress.wantedBytes === 0 ? 1 : progress.bytes / progress.wantedBytes;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const amount = `${formatBytes(progress.bytes)}/${formatBytes(progress.wantedBytes)}`;
  const rate = `${formatBytes(bytesPerSecond)}/s`;
  const left =
    bytesPerSecond > 0 ? formatDurationMs(((progress.wantedBytes - progress.bytes) / bytesPerSecond) * 1000) : '--';
  const width = Math.max(columns - 1, 1);
  let line = percent;
  for (const part of [amount, rate, `ETA ${left}`, sourceSummary(progress)]) {
    if (part === '' || line.length + part.length + 2 > width - MIN_BAR_WIDTH - 3) break;
    line += `  ${part}`;
  }
  const barWidth = Math.min(width - line.length - 3, MAX_BAR_WIDTH);
  if (barWidth < MIN_BAR_WIDTH) return line.slice(0, width);
  return `[${renderBar(progress, barWidth, color)}] ${line}`;
}

/** "peers 60%, origin 40%"; empty before the first byte. */
export function sourceSummary({ bytes, bytesBySource }: DownloadProgress): string {
  const parts = SOURCES.filter((source) => bytesBySource[source] > 0).map(
    (source) => `${source} ${Math.round((bytesBySource[source] / bytes) * 100)}%`,
  );
  return parts.join(', ');
}

function renderBar({ wantedBytes, bytesBySource }: DownloadProgress, width: number, color: boolean): string {
  let bar = '';
  let shown = 0;
  let cells = 0;
  for (const source of SOURCES) {
    shown += bytesBySource[source];
    const end = wantedBytes === 0 ? 0 : Math.floor((shown / wantedBytes) * width);
    const text = '#'.repeat(Math.max(end - cells, 0));
    bar += color && text !== '' ? styleText(COLORS[source], text, { validateStream: false }) : text;
    cells = Math.max(cells, end);
  }
  return bar + '-'.repeat(width - cells);
}
