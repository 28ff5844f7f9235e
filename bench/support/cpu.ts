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

/** User + system seconds of this process's children that have ended. */
export function endedChildrenSeconds(): number {
  const fields = statFields('/proc/self/stat');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/** Resident bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function statTicks(path: string): number {
  const fields = statFields(path);
  return Number(fields[11]) + Number(fields[12]);
}

/** What follows the command's name, which may hold anything but is in parentheses. */
function statFields(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
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
