/** Parsers of the kernel's text files (proc(5), sysfs). What is missing or malformed is left out, never an error. */

export interface InterfaceCounters {
  name: string;
  rxBytes: number;
  txBytes: number;
}

/** /proc/net/dev: one line an interface, receive bytes first, transmit bytes ninth. */
export function parseNetDev(text: string): InterfaceCounters[] {
  return text.split('\n').flatMap((line) => {
    const [, name, columns = ''] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    const numbers = columns.trim().split(/\s+/).map(Number);
    const [rxBytes, txBytes] = [numbers[0], numbers[8]];
    const valid = name !== undefined && Number.isFinite(rxBytes) && Number.isFinite(txBytes);
    return valid ? [{ name, rxBytes: rxBytes ?? 0, txBytes: txBytes ?? 0 }] : [];
  });
}

/** /proc/meminfo in bytes, by the kernel's keys ("MemAvailable"). */
export function parseMemInfo(text: string): Map<string, number> {
  const lines = [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)];
  return new Map(lines.map(([, key = '', kilobytes]) => [key, Number(kilobytes) * 1024]));
}

/** Established and listening TCP sockets of /proc/net/sockstat; IPv6 ones are in sockstat6. */
export function parseTcpInUse(text: string): number {
  return Number(/^TCP6?: inuse (\d+)/m.exec(text)?.[1] ?? 0);
}

/** Distinct cores of /proc/cpuinfo; undefined where the kernel does not tell. */
export function parsePhysicalCores(text: string): number | undefined {
  const cores = new Set<string>();
  for (const processor of text.split(/\n\s*\n/)) {
    const chip = /^physical id\s*:\s*(\d+)/m.exec(processor)?.[1];
    const core = /^core id\s*:\s*(\d+)/m.exec(processor)?.[1];
    if (chip !== undefined && core !== undefined) cores.add(`${chip}/${core}`);
  }
  return cores.size === 0 ? undefined : cores.size;
}

/** /sys/class/net/NAME/speed, megabits per second, as bits per second; undefined for -1, 0 and nonsense. */
export function parseInterfaceSpeed(text: string): number | undefined {
  const megabits = /^\s*(\d+)\s*$/.exec(text)?.[1];
  const bits = Number(megabits ?? 0) * 1e6;
  return bits > 0 ? bits : undefined;
}
