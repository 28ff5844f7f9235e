export const STORE_VARIABLE = 'KILL_POINT_STORE';
export const JOURNAL_VARIABLE = 'KILL_POINT_JOURNAL';
export const KILL_AT_VARIABLE = 'KILL_POINT_AT';
export const MOMENT_VARIABLE = 'KILL_POINT_MOMENT';

/** When within its last operation a process ends; `torn`: after half of a write, before anything else. */
export type Moment = 'before' | 'torn' | 'after';

export interface KillPoint {
  /** The number of the operation, from 1. */
  at: number;
  moment: Moment;
}

/** Before a thread's `at`-th system call of this name: strace kills. It sees what LevelDB does inside, too. */
export interface SyscallPoint {
  at: number;
  syscall: string;
}

export function describePoint(point: KillPoint | SyscallPoint): string {
  return 'syscall' in point
    ? `before ${point.syscall} number ${point.at} of a thread`
    : `${point.moment} operation ${point.at}`;
}

/** What a letter of the journal stands for. */
export const OPERATION_NAMES: Readonly<Record<string, string>> = {
  w: 'data write',
  t: 'truncate',
  s: 'sync',
  o: 'file creation',
  d: 'mkdir or rmdir',
  r: 'rename',
  u: 'unlink',
  l: 'hard link',
  m: 'metadata batch',
};

/** Two moments for each operation. */
export function allPoints(journal: string): KillPoint[] {
  return Array.from(journal).flatMap((letter, index) => [
    { at: index + 1, moment: letter === 'w' ? ('torn' as const) : ('before' as const) },
    { at: index + 1, moment: 'after' as const },
  ]);
}

/** About `count` of all points: half of them those that are no data writes, and the rest evenly over the writes. */
export function somePoints(journal: string, count: number): KillPoint[] {
  const points = allPoints(journal);
  const isWrite = ({ at }: KillPoint): boolean => journal[at - 1] === 'w';
  const others = evenly(
    points.filter((point) => !isWrite(point)),
    Math.ceil(count / 2),
  );
  const writes = evenly(points.filter(isWrite), count - others.length);
  return [...others, ...writes].sort((a, b) => a.at - b.at);
}

function evenly<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  return all.filter(
    (_, index) => Math.floor((index * count) / all.length) !== Math.floor(((index - 1) * count) / all.length),
  );
}
