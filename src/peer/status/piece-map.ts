import { TrafficType } from '../../core/piece.js';

/** What a map is drawn of: a stored task. */
export interface MappedTask {
  readonly layout: { readonly count: number } | undefined;
  piece(number: number): { readonly trafficType: TrafficType } | undefined;
}

/** Cells of a piece map; tasks of more pieces share a cell among several. */
export const MAX_PIECE_MAP_CELLS = 256;

/**
 * One character a cell: `.` nothing stored, `+` on its way, `-` a part of its pieces, `o` all and from the origin, `p` all and from peers,
 * `m` all and from both. Empty while the length is unknown.
 */
export function pieceMap(task: MappedTask, underWay: ReadonlySet<number>, maxCells = MAX_PIECE_MAP_CELLS): string {
  const count = task.layout?.count ?? 0;
  const cells = Math.min(count, maxCells);
  return Array.from({ length: cells }, (_, index) => {
    const first = Math.floor((index * count) / cells);
    const end = Math.floor(((index + 1) * count) / cells);
    const cell = cellOf(task, first, end);
    return cell === '.' && hasAny(underWay, first, end) ? '+' : cell;
  }).join('');
}

function hasAny(numbers: ReadonlySet<number>, first: number, end: number): boolean {
  for (const number of numbers) if (number >= first && number < end) return true;
  return false;
}

function cellOf(task: MappedTask, first: number, end: number): string {
  let [fromOrigin, fromPeers] = [0, 0];
  for (let number = first; number < end; number++) {
    const piece = task.piece(number);
    if (piece === undefined) continue;
    if (piece.trafficType === TrafficType.BACK_TO_SOURCE) fromOrigin++;
    else fromPeers++;
  }
  if (fromOrigin + fromPeers === 0) return '.';
  if (fromOrigin + fromPeers < end - first) return '-';
  if (fromPeers === 0) return 'o';
  return fromOrigin === 0 ? 'p' : 'm';
}
