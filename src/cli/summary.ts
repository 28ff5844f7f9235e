import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadProgress, DownloadResult } from './download-client.js';
import { sourceSummary } from './progress-line.js';

export const DAEMON_STARTS = 'no daemon is running, starting one in the background (it ends by itself when idle)';
export const DAEMON_ENDS = 'the daemon is shutting down; waiting for its end, to go on with the next one';
export const INTERRUPTED = 'interrupted; run it again to go on from there';

/** Of one download: of a range, its own bytes count, not those of its pieces. */
export function summarizeDownload(result: DownloadResult, elapsedMs: number): string {
  return describe(result.outputBytes, result, elapsedMs);
}

/** "45.0 MiB in 3.2s, 14.1 MiB/s (peers 60%, origin 40%)" */
export function summarize(progress: Pick<DownloadProgress, 'bytes' | 'bytesBySource'>, elapsedMs: number): string {
  return describe(progress.bytes, progress, elapsedMs);
}

function describe(bytes: number, progress: Parameters<typeof sourceSummary>[0], elapsedMs: number): string {
  const rate = elapsedMs > 0 ? `, ${formatBytes((bytes / elapsedMs) * 1000)}/s` : '';
  const elapsed = elapsedMs < 1000 ? `${Math.round(elapsedMs)} ms` : formatDurationMs(elapsedMs);
  const sources = sourceSummary(progress);
  return `${formatBytes(bytes)} in ${elapsed}${rate}${sources === '' ? '' : ` (${sources})`}`;
}
