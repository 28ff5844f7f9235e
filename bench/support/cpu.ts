import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks a second of /proc on Linux. */
const TICKS_PER_SECOND = 100;

/** User + system seconds of a process with all its threads, and of its children if asked for. */
export function cpuSeconds(pid: number, withChildren = false): number {
  const own = statTicks(`/proc/${pid}/stat`);
  return (
    (own + (withChildren ? childrenOf(pid).reduce((sum, child) => sum + statTicks(`/proc/${child}/stat`), 0) : 0)) /
    TICKS_PER_SECOND
  );
}

/** Resident bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function statTicks(path: string): number {
  const text = readFileSync(path, 'utf8');
  // The command's name may hold anything but is in parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function childrenOf(pid: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1] === String(pid);
    } catch {
      return false;
    }
  });
}
