import { DEFAULT_BANDWIDTH_LIMIT } from '../config/sections/bandwidth.js';
import { formatBytes, parseByteRate } from '../core/units.js';
import type { Cap__Output } from '../generated/dfpeer/v1/Cap.js';
import type { GetLimitsResponse__Output } from '../generated/dfpeer/v1/GetLimitsResponse.js';
import type { Limit__Output } from '../generated/dfpeer/v1/Limit.js';
import { renderTable, type Column } from './table.js';

const WHAT: Readonly<Record<string, string>> = {
  upload: 'all uploads',
  uploadPerTask: 'uploads of one task',
  uploadPerChild: 'uploads to one IP',
  download: 'all downloads',
  backToSource: 'downloads from origins',
};

/** Which key makes a limit last. */
export const KEY_OF_LIMIT: Readonly<Record<string, string>> = {
  upload: 'upload.bandwidthLimit',
  uploadPerTask: 'upload.perTaskBandwidthLimit',
  uploadPerChild: 'upload.perChildBandwidthLimit',
  download: 'download.bandwidthLimit',
  backToSource: 'download.backToSourceBandwidthLimit',
};

const DEFAULT_BYTES_PER_SECOND = parseByteRate(DEFAULT_BANDWIDTH_LIMIT);

/** `dfdaemon limits` for people. */
export function showLimits(message: GetLimitsResponse__Output, width: number): string {
  const { limits, limitedRoute, interfaceBytesPerSecond, caps } = message;
  const uploads = limits.some(({ name, binds }) => binds && name.startsWith('upload'))
    ? `an upload limit binds: bytes go by the route ${limitedRoute}`
    : `no upload limit binds: bytes go by sendfile (the interface carries ${formatBytes(interfaceBytesPerSecond)}/s)`;
  return `${renderTable(LIMIT_COLUMNS, limits, width)}\n${uploads}\n\n${renderTable(CAP_COLUMNS, caps, width)}`;
}

const LIMIT_COLUMNS: readonly Column<Limit__Output>[] = [
  { title: 'BANDWIDTH OF', cell: ({ name }) => WHAT[name] ?? name },
  { title: 'LIMIT', align: 'right', cell: ({ bytesPerSecond }) => rate(bytesPerSecond) },
  { title: 'BINDS', cell: ({ binds }) => (binds ? 'yes' : 'no') },
  { title: 'SET BY', cell: origin },
];

const CAP_COLUMNS: readonly Column<Cap__Output>[] = [
  { title: 'AT ONCE', cell: ({ name }) => name },
  { title: 'AT MOST', align: 'right', cell: ({ value }) => String(value) },
];

function origin({ setBy, bytesPerSecond = DEFAULT_BYTES_PER_SECOND }: Limit__Output): string {
  if (setBy === 'runtime') return 'operator, at run time';
  return bytesPerSecond === DEFAULT_BYTES_PER_SECOND ? 'nobody (default)' : 'configuration';
}

function rate(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? 'none' : `${formatBytes(bytesPerSecond)}/s`;
}
