import os, { type NetworkInterfaceInfo } from 'node:os';

// Node throws where the kernel has no answer: without /proc, and while no descriptor is free to ask with. Nobody shall end for that.

/** Resident bytes of this process; undefined while that can't be told. */
export function residentBytes(): number | undefined {
  return unlessUnanswered(() => process.memoryUsage.rss());
}

/** By name; none while they can't be told. */
export function networkInterfaces(): Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> {
  return unlessUnanswered(() => os.networkInterfaces()) ?? {};
}

function unlessUnanswered<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
