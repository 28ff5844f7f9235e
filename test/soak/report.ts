import { formatBytes } from '../../src/core/units.js';
import type { SoakReport } from './run-soak.js';
import type { Holdings } from './leaks.js';

/** A summary for people, one fact a line. */
export function formatReport(report: SoakReport): string {
  const { plan, tally, sweep, origin, survivors, failures } = report;
  const needed = tally.bytes + sweep.bytes;
  const rows: [string, string][] = [
    ['seed, time', `${plan.seed}, ${Math.round(plan.durationMs / 1000)} s`],
    ['files', `${plan.files.length}, ${formatMib(plan.files.reduce((sum, { size }) => sum + size, 0))}`],
    ['downloads', `${tally.downloads}, ${tally.succeeded} succeeded, ${formatCounts(tally.failures)}`],
    ['at the end', `${sweep.succeeded} of ${plan.files.length} files right`],
    ['kill -9, restarts, limit switches', `${report.kills}, ${report.restarts}, ${report.limitSwitches}`],
    ['origin faults', `${formatCounts(origin.faults)} in ${origin.requests} requests`],
    ['bad pieces of the liar', `${report.badPieces} refused (counters of killed daemons are lost)`],
    [
      'longest download',
      `${(tally.longestMs / 1000).toFixed(1)} s, ${(tally.longestBeyondTimeoutMs / 1000).toFixed(1)} s beyond its timeout`,
    ],
    ['bytes delivered', formatMib(needed)],
    [
      'bytes from the origin',
      `${formatMib(origin.bytes)}, ${((100 * origin.bytes) / needed).toFixed(0)} % of what it would give without peers`,
    ],
    ...survivors.map(({ daemon, before, after }): [string, string] => [
      `daemon ${daemon}, warm → end`,
      `${formatHoldings(before)} → ${formatHoldings(after)}`,
    ]),
    ['failures', String(failures.length)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  return [...lines, ...failures.map((failure) => `FAILED: ${failure}`)].join('\n');
}

function formatHoldings({ rssBytes, heapBytes, fds, dataFiles, handles, threads }: Holdings): string {
  return `RSS ${formatMib(rssBytes)}, heap ${formatMib(heapBytes)}, ${fds} fds (${dataFiles} data files), ${handles} handles, ${threads} threads`;
}

function formatCounts(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  return sorted.length === 0 ? 'none failed' : sorted.map(([name, count]) => `${count} ${name}`).join(', ');
}

function formatMib(bytes: number): string {
  return formatBytes(Math.round(bytes / 1024 / 1024) * 1024 * 1024);
}
