import { readFileSync } from 'node:fs';

/** Bytes that a host's link carried so far, Ethernet headers included, as the kernel counts them at the host's end. */
export interface LinkBytes {
  sent: number;
  received: number;
}

/** Of `eth0` in the network namespace that process `pid` lives in. */
export function linkBytes(pid: number): LinkBytes {
  const text = readFileSync(`/proc/${pid}/net/dev`, 'utf8');
  const counters = /^\s*eth0:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/).map(Number) ?? [];
  return { received: counters[0] ?? 0, sent: counters[8] ?? 0 };
}
