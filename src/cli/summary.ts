import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadProgress } from './download-client.js';
import { sourceSummary } from './progress-line.js';

export const DAEMON_STARTS = 'no daemon is running, starting one in the background (it ends by itself when idle)';
export const INTERRUPTED = 'interrupted; run it again to go on from there';

/** "45.0 MiB in 3.2s, 14.1 MiB/s (peers 60%, origin 40%)" */
export function summarize(progress: Pick<DownloadProgress, 'bytes' | 'bytesBySource'>, elapsedMs: number): string {
  const { bytes } = progress;
  const rate = elapsedMs > 0 ? `, ${formatBytes((bytes / elapsedMs) * 1000)}/s` : '';
  const sources = sourceSummary(progress);
  return `${formatBytes(bytes)} in ${formatDurationMs(elapsedMs)}${rate}${sources === '' ? '' : ` (${sources})`}`;
}
