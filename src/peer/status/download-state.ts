import type { StoredTask } from '../store/stored-task.js';
import type { LiveFetch } from './watched-fetcher.js';

/** How far the download of one task is, in bytes. */
export interface DownloadState {
  /** Absent while the origin tells none. */
  contentLength?: number;
  storedBytes: number;
  /** Beyond what is stored; may still turn out bad. */
  arrivingFromPeers: number;
  arrivingFromOrigin: number;
}

/** @param fetches those of this task */
export function viewDownload(task: StoredTask, fetches: readonly LiveFetch[]): DownloadState {
  const arriving = { parent: 0, origin: 0 };
  for (const fetch of withoutRaces(fetches)) arriving[fetch.route] += unstoredBytes(task, fetch);
  return {
    ...(task.layout === undefined ? {} : { contentLength: task.layout.contentLength }),
    storedBytes: task.storedBytes,
    arrivingFromPeers: arriving.parent,
    arrivingFromOrigin: arriving.origin,
  };
}

/** A piece that is asked of two comes once: the one that is further counts. */
function withoutRaces(fetches: readonly LiveFetch[]): LiveFetch[] {
  const furthest = new Map<number, LiveFetch>();
  for (const fetch of fetches)
    if (fetch.bytes > (furthest.get(fetch.offset)?.bytes ?? -1)) furthest.set(fetch.offset, fetch);
  return [...furthest.values()];
}

/** A stream brings many pieces; those that are complete are stored already. */
function unstoredBytes(task: StoredTask, { offset, bytes }: LiveFetch): number {
  const { pieceLength } = task.record;
  let stored = 0;
  for (let number = Math.floor(offset / pieceLength); number * pieceLength < offset + bytes; number++)
    stored += task.piece(number)?.length ?? 0;
  return Math.max(0, bytes - stored);
}
