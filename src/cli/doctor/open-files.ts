import { readFile } from 'node:fs/promises';
import { DEFAULT_GRPC_SERVER_LIMITS } from '../../grpc/server.js';
import { DEFAULT_MAX_IDLE_FILES } from '../../peer/store/task-store.js';
import { DEFAULT_UPLOAD_BOUNDS } from '../../upload/index.js';
import type { DaemonSettings } from '../../peer/daemon-settings.js';
import type { DoctorContext } from './context.js';
import { findingsOf, type Finding } from './finding.js';

const found = findingsOf('open-files');

/** Reads a file of /proc. */
export type ReadText = (path: string) => Promise<string>;
const readText: ReadText = (path) => readFile(path, 'utf8');

/** Whether the limit on open files lets the caps on connections and uploads be reached. */
export async function checkOpenFiles({ settings, running }: DoctorContext, read = readText): Promise<Finding[]> {
  const limit = await openFileLimit(running?.pid, read);
  if (limit === undefined) return [];
  const needed = filesNeeded(settings);
  const whose = running === undefined ? "of this shell (the daemon's may differ)" : 'of the running daemon';
  const text = `the limit ${whose} is ${limit} open files`;
  if (limit >= needed) return [found.ok(`${text}; all caps together need ${needed}`)];
  return [
    found.warn(
      `${text}, but all caps together need ${needed}`,
      `raise it (ulimit -n ${needed}, LimitNOFILE=${needed} for systemd), or lower upload.maxConnections`,
    ),
  ];
}

/** A socket for each connection; each upload has its socket a second time, and at most one file. */
export function filesNeeded({ upload, download, maxDownloads }: DaemonSettings): number {
  const { maxConnections, maxConcurrentTransfers } = { ...DEFAULT_UPLOAD_BOUNDS, ...upload.bounds };
  const downloads = maxDownloads + download.concurrentPieceCount * 2;
  const reserve = 256;
  return (
    maxConnections +
    DEFAULT_GRPC_SERVER_LIMITS.maxConnections +
    2 * maxConcurrentTransfers +
    downloads +
    DEFAULT_MAX_IDLE_FILES +
    reserve
  );
}

async function openFileLimit(pid: number | undefined, read: ReadText): Promise<number | undefined> {
  const text = await read(`/proc/${pid ?? 'self'}/limits`).catch(() => '');
  const value = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1];
  if (value === undefined) return undefined;
  return value === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(value);
}
