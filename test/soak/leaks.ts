import { readdir, readFile, readlink } from 'node:fs/promises';
import { sumSamples } from '../support/metrics.js';
import type { DaemonProcess } from '../support/daemon-process.js';
import { DEFAULT_MAX_IDLE_FILES } from '../../src/peer/store/task-store.js';

const MIB = 1024 * 1024;

/** What a process holds while nothing is asked of it. */
export interface Holdings {
  rssBytes: number;
  heapBytes: number;
  /** `process_open_fds`. */
  fds: number;
  /** Data files of the store: the cache of open files is bounded, and may be full or not. */
  dataFiles: number;
  /** libuv's: sockets, timers, pipes, servers. */
  handles: number;
  threads: number;
}

/** How much more than after the warm-up is still called flat. */
export const TOLERANCES = {
  /** The allocator keeps what a busy hour needed: beyond a quarter and this it is a leak. */
  rssShare: 0.25,
  rssBytes: 48 * MIB,
  /** Idle connections to parents and origins come and go. */
  fds: 12,
  handles: 16,
  threads: 2,
} as const;

export async function lookAt(daemon: DaemonProcess): Promise<Holdings> {
  const samples = await daemon.metrics();
  const metric = (name: string): number => sumSamples(samples, name, {});
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  return {
    rssBytes: metric('process_resident_memory_bytes'),
    heapBytes: metric('nodejs_heap_size_used_bytes'),
    fds: metric('process_open_fds'),
    dataFiles: await countDataFiles(daemon.pid),
    handles: metric('nodejs_active_handles_total'),
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 0),
  };
}

/** What has grown; empty when nothing has. */
export function compareHoldings(who: string, before: Holdings, after: Holdings): string[] {
  const grown: string[] = [];
  const check = (name: string, was: number, is: number, most: number): void => {
    if (is > most) grown.push(`${who}: ${name} grew from ${was} to ${is}, ${Math.floor(most)} would be flat`);
  };
  const mostRss = before.rssBytes * (1 + TOLERANCES.rssShare) + TOLERANCES.rssBytes;
  check('RSS', before.rssBytes, after.rssBytes, mostRss);
  const [fdsBefore, fdsAfter] = [before.fds - before.dataFiles, after.fds - after.dataFiles];
  check('descriptors other than data files', fdsBefore, fdsAfter, fdsBefore + TOLERANCES.fds);
  check('open data files', before.dataFiles, after.dataFiles, DEFAULT_MAX_IDLE_FILES);
  check('handles', before.handles, after.handles, before.handles + TOLERANCES.handles);
  check('threads', before.threads, after.threads, before.threads + TOLERANCES.threads);
  return grown;
}

async function countDataFiles(pid: number): Promise<number> {
  const directory = `/proc/${pid}/fd`;
  const targets = await Promise.all(
    (await readdir(directory)).map((fd) => readlink(`${directory}/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target.includes('/content/')).length;
}
