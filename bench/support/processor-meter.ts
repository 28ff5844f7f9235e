import { cpus } from 'node:os';

/** Milliseconds since the system's start, over all processors. */
interface ProcessorTimes {
  busyMs: number;
  totalMs: number;
}

function read(): ProcessorTimes {
  const sum = { busyMs: 0, totalMs: 0 };
  for (const { times } of cpus()) {
    const busyMs = times.user + times.nice + times.sys + times.irq;
    sum.busyMs += busyMs;
    sum.totalMs += busyMs + times.idle;
  }
  return sum;
}

/** Returns how to learn which share of the whole machine's processors was busy since: 0 to 1. */
export function meterProcessors(): () => number {
  const before = read();
  return () => {
    const now = read();
    return (now.busyMs - before.busyMs) / Math.max(now.totalMs - before.totalMs, 1);
  };
}
