import { counted } from '../core/counted.js';
import { printable } from '../core/printable.js';
import { formatBytes } from '../core/units.js';
import type { ListTasksResponse__Output } from '../generated/dfpeer/v1/ListTasksResponse.js';
import type { ListTransfersResponse__Output } from '../generated/dfpeer/v1/ListTransfersResponse.js';
import type { StoredTask__Output } from '../generated/dfpeer/v1/StoredTask.js';
import type { Transfer__Output } from '../generated/dfpeer/v1/Transfer.js';
import { renderTable, type Column } from './table.js';

const SHORT_ID = 12;

/** `dfdaemon tasks` for people. @param nowMs the daemon's clock */
export function showTasks(
  stored: ListTasksResponse__Output,
  moving: ListTransfersResponse__Output,
  nowMs: number,
  width: number,
): string {
  const { tasks, total, storedBytes } = stored;
  const heading = total === 0 ? 'nothing is stored\n' : `${counted(total, 'task')}, ${formatBytes(storedBytes)}\n`;
  const table = tasks.length === 0 ? '' : renderTable(taskColumns(nowMs), tasks, width);
  return `${heading}${table}${more(total, tasks.length)}\n${showTransfers(moving, width)}`;
}

/** `dfdaemon tasks --remove` for people. */
export function showRemoved({ id, storedBytes, url }: Pick<StoredTask__Output, 'id' | 'storedBytes' | 'url'>): string {
  return `removed task ${id} (${formatBytes(storedBytes)}) of ${printable(url)}\n`;
}

function showTransfers({ transfers, total }: ListTransfersResponse__Output, width: number): string {
  if (total === 0) return 'nothing is being transferred\n';
  return `${counted(total, 'transfer')} under way\n${renderTable(TRANSFER_COLUMNS, transfers, width)}${more(total, transfers.length)}`;
}

function taskColumns(nowMs: number): Column<StoredTask__Output>[] {
  return [
    { title: 'TASK', cell: ({ id }) => id.slice(0, SHORT_ID) },
    { title: 'SIZE', align: 'right', cell: (task) => formatBytes(task.contentLength ?? task.storedBytes) },
    { title: 'PIECES', align: 'right', cell: pieces },
    { title: 'USED', align: 'right', cell: ({ lastUsedAtMs }) => `${age(nowMs - lastUsedAtMs)} ago` },
    { title: 'IN USE', flexible: { minWidth: 10 }, cell: ({ pinnedBy }) => pinnedBy.join(', ') || '-' },
    { title: 'URL', flexible: { minWidth: 16, keepEnd: true }, cell: ({ url }) => url },
  ];
}

const TRANSFER_COLUMNS: readonly Column<Transfer__Output>[] = [
  { title: 'TASK', cell: ({ taskId }) => taskId.slice(0, SHORT_ID) },
  { title: 'WAY', cell: ({ direction }) => (direction === 'upload' ? 'up' : 'down') },
  { title: 'PEER', flexible: { minWidth: 9 }, cell: ({ peer }) => peer },
  { title: 'ROUTE', cell: ({ route }) => route },
  { title: 'REASON', flexible: { minWidth: 7 }, cell: ({ reason }) => reason },
  { title: 'BYTES', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'DONE', align: 'right', cell: ({ bytes, length }) => percent(bytes, length) },
  { title: 'RATE', align: 'right', cell: ({ bytesPerSecond }) => `${formatBytes(bytesPerSecond)}/s` },
];

function pieces({ storedPieces, pieceCount, complete }: StoredTask__Output): string {
  return complete ? String(storedPieces) : `${storedPieces}/${pieceCount ?? '?'}`;
}

function percent(bytes: number, length: number | undefined): string {
  return length === undefined || length === 0 ? '?' : `${Math.floor((bytes / length) * 100)}%`;
}

/** "3d", "2h", "5m", "12s". */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

export function more(total: number, shown: number): string {
  return total > shown ? `… and ${total - shown} more\n` : '';
}
