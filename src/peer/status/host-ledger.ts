import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.js';

/** Hosts remembered; whoever was seen least recently is forgotten first. */
export const MAX_WATCHED_HOSTS = 1024;

/** What went one way between this host and another. */
export interface HostTraffic {
  bytes: number;
  /** Pieces, or uploads, that came through. */
  completed: number;
  failed: number;
  running: number;
  /** Time with at least one under way: bytes by it is the speed. */
  busyMs: number;
}

export interface WatchedHost {
  address: string;
  downloads: HostTraffic;
  uploads: HostTraffic;
  /** Pieces that were not what the host said they were. */
  badPieces: number;
  /** Milliseconds since the Unix epoch. */
  lastSeenMs: number;
}

export type Direction = 'downloads' | 'uploads';

/** One transfer with a host, under way. */
export interface HostTransfer {
  /** Bytes that went through since the last call. */
  moved(bytes: number): void;
  /** Exactly once. */
  end(result: 'complete' | 'failed' | 'bad' | 'aborted'): void;
}

interface Entry extends WatchedHost {
  busySinceMs: Record<Direction, number>;
}

/** The hosts that we exchange pieces with, by address, and how that goes. */
export class HostLedger {
  readonly #clock: Clock;
  readonly #hosts: LRUCache<string, Entry>;

  constructor(clock: Clock, maxHosts = MAX_WATCHED_HOSTS) {
    this.#clock = clock;
    this.#hosts = new LRUCache({ max: maxHosts });
  }

  begin(address: string, direction: Direction): HostTransfer {
    const entry = this.#entry(address);
    const traffic = entry[direction];
    if (traffic.running++ === 0) entry.busySinceMs[direction] = this.#clock.monotonicMs();
    return {
      moved: (bytes) => {
        traffic.bytes += bytes;
      },
      end: (result) => {
        if (--traffic.running === 0) traffic.busyMs += this.#clock.monotonicMs() - entry.busySinceMs[direction];
        if (result === 'complete') traffic.completed++;
        if (result === 'failed' || result === 'bad') traffic.failed++;
        if (result === 'bad') entry.badPieces++;
        entry.lastSeenMs = this.#clock.now();
      },
    };
  }

  /** Most recently used first. */
  list(): WatchedHost[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#hosts.values()].map(({ busySinceMs, ...host }) => ({
      ...host,
      downloads: withRunningTime(host.downloads, nowMs - busySinceMs.downloads),
      uploads: withRunningTime(host.uploads, nowMs - busySinceMs.uploads),
    }));
  }

  #entry(address: string): Entry {
    const known = this.#hosts.get(address);
    if (known !== undefined) return known;
    const nothing = (): HostTraffic => ({ bytes: 0, completed: 0, failed: 0, running: 0, busyMs: 0 });
    const made: Entry = {
      address,
      downloads: nothing(),
      uploads: nothing(),
      badPieces: 0,
      lastSeenMs: this.#clock.now(),
      busySinceMs: { downloads: 0, uploads: 0 },
    };
    this.#hosts.set(address, made);
    return made;
  }
}

/** Mean bytes per second while something was under way; 0 when nothing ever was. */
export function speedOf({ bytes, busyMs }: HostTraffic): number {
  return busyMs < 1 ? 0 : Math.round((bytes / busyMs) * 1000);
}

function withRunningTime(traffic: HostTraffic, runningMs: number): HostTraffic {
  return traffic.running === 0 ? { ...traffic } : { ...traffic, busyMs: traffic.busyMs + runningMs };
}
