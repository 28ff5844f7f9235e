import { formatBytes, formatDurationMs } from '../core/units.js';
import type { DownloadResult } from './download-client.js';
import { sourceSummary } from './progress-line.js';

export const DAEMON_STARTS = 'no daemon is running, starting one in the background (it ends by itself when idle)';
export const DAEMON_ENDS = 'the daemon is shutting down; waiting for its end, to go on with the next one';
/** From an origin that sends neither it begins anew: nobody could tell what it is that has come. */
export const RUN_AGAIN = "run it again: it goes on from there if the origin's ETag or Last-Modified is still the same";
export const INTERRUPTED = `interrupted; ${RUN_AGAIN}`;

/** "45.0 MiB in 3.2s, 14.1 MiB/s (peers 60%, origin 40%)": of ranges their own bytes count, not those of their pieces. */
export function summarize(
  downloaded: Pick<DownloadResult, 'outputBytes'> & Parameters<typeof sourceSummary>[0],
  elapsedMs: number,
): string {
  const { outputBytes } = downloaded;
  const rate = elapsedMs > 0 ? `, ${formatBytes((outputBytes / elapsedMs) * 1000)}/s` : '';
  const elapsed = elapsedMs < 1000 ? `${Math.round(elapsedMs)} ms` : formatDurationMs(elapsedMs);
  const sources = sourceSummary(downloaded);
  return `${formatBytes(outputBytes)} in ${elapsed}${rate}${sources === '' ? '' : ` (${sources})`}`;
}
