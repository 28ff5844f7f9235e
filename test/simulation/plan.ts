import type { DownloadSettings } from '../../src/peer/download/download-request.js';
import type { Random } from './random.js';

/** How a parent behaves; each is a way in which real ones disappoint. */
export const PARENT_KINDS = [
  'good',
  'slow',
  'stalling', // stops in mid-piece and says nothing more
  'dead', // never answers the connection
  'refusing', // answers no connection, at once
  'lying', // some bytes are not what it announces
  'misoffering', // offers pieces that can't be
  'half-closed', // its streams and pieces end early, without an error
  'breaking', // its streams break
  'silent', // offers nothing, for ever
  'busy', // asks to come back later, for long
  'forgetful', // offers pieces that it refuses then
  'reordering', // offers in any order, twice, and after we hung up
  'growing', // still downloading itself
] as const;

const RACERS = ['slow', 'slow', 'lying'] as const;

export interface ParentPlan {
  kind: (typeof PARENT_KINDS)[number];
  latencyMs: number;
  msPerChunk: number;
  /** Of the faults that happen now and then. */
  faultRate: number;
  /** Whether it tells which version of the content it has, as our own peers do. */
  tellsVersion: boolean;
}

export interface OriginPlan {
  supportsRange: boolean;
  tellsLength: boolean;
  validator: 'etag' | 'last-modified' | 'none';
  /** When the content changes. */
  changesAtMs: number[];
  latencyMs: number;
  msPerChunk: number;
  /** Of 5xx, resets, wrong lengths, ignored ranges and stalls. */
  faultRate: number;
  isDown: boolean;
}

export interface SchedulerPlan {
  kind:
    | 'good'
    | 'none'
    | 'unreachable'
    | 'slow'
    | 'mute' // never decides
    | 'breaking' // its streams break
    | 'restarting'
    | 'to-source'
    | 'empty'
    | 'no-parents';
  atMs: number;
}

export interface DiskPlan {
  /** A write beyond so many bytes finds the disk full. */
  fullAfterBytes: number;
  /** Of EIO at every operation. */
  errorRate: number;
  /** Longest sync. */
  syncMs: number;
}

export interface ClientPlan {
  joinAtMs: number;
  /** Shares of the content; undefined: all of it. */
  range: { from: number; to: number } | undefined;
  /** Goes away before the download is done. */
  leaveAtMs: number | undefined;
}

export interface StopPlan {
  kind: 'kill' | 'power-loss' | 'restart';
  atMs: number;
}

/** Everything that is decided before a run. */
export interface Plan {
  contentLengths: number[];
  pieceLength: number;
  disableBackToSource: boolean;
  parents: ParentPlan[];
  origin: OriginPlan;
  scheduler: SchedulerPlan;
  disk: DiskPlan;
  clients: ClientPlan[];
  /** Somebody deletes the task, whatever uses it. */
  removeAtMs: number | undefined;
  stop: StopPlan | undefined;
  settings: DownloadSettings;
}

const HEALTHY_DISK: DiskPlan = { fullAfterBytes: Number.POSITIVE_INFINITY, errorRate: 0, syncMs: 5 };

export function drawPlan(random: Random): Plan {
  const pieceLength = random.pick([64, 256]);
  // Some seeds are all about who is fastest: slow parents are raced by liars for a few pieces.
  const isRace = random.chance(0.1);
  const length = random.chance(0.05) ? 0 : random.between(1, (isRace ? 3 : 16) * pieceLength);
  const origin = drawOrigin(random);
  const contentLengths = [
    length,
    ...origin.changesAtMs.map(() => (random.chance(0.5) ? length : random.between(1, 16 * pieceLength))),
  ];
  return {
    contentLengths,
    pieceLength,
    disableBackToSource: random.chance(0.1),
    parents: drawParents(random, origin.changesAtMs.length > 0, isRace),
    origin,
    scheduler: drawScheduler(random),
    disk: drawDisk(random),
    clients: Array.from({ length: random.between(1, 3) }, (_, index) => drawClient(random, index === 0)),
    removeAtMs: random.chance(0.08) ? random.between(0, 1500) : undefined,
    stop: random.chance(0.35)
      ? { kind: random.pick(['kill', 'power-loss', 'restart']), atMs: Math.floor(random.next() ** 2 * 5000) }
      : undefined,
    settings: {
      concurrentPieceCount: random.between(1, 8),
      pieceTimeoutMs: 8000,
      idleTimeoutMs: 2000,
      collectedPieceTimeoutMs: 3000,
      maxScheduleCount: random.between(1, 4),
      originTimeoutMs: 2000,
      maxOriginAttempts: random.between(1, 4),
      originRequestHeader: {},
      smallTaskBytes: random.chance(0.1) ? 4096 : 0,
    },
  };
}

export function isHealthy({ errorRate, fullAfterBytes }: DiskPlan): boolean {
  return errorRate === 0 && fullAfterBytes === Number.POSITIVE_INFINITY;
}

/** Whether nothing that a download can't do without fails: then it must succeed, whatever parents and schedulers do. */
export function mustSucceed({ origin, disk, disableBackToSource, removeAtMs }: Plan): boolean {
  return (
    origin.faultRate === 0 && !origin.isDown && isHealthy(disk) && !disableBackToSource && removeAtMs === undefined
  );
}

function drawParents(random: Random, contentChanges: boolean, isRace: boolean): ParentPlan[] {
  const kinds = isRace ? RACERS : PARENT_KINDS;
  return Array.from({ length: isRace ? random.between(2, 4) : random.between(0, 5) }, () => ({
    kind: random.chance(isRace ? 0 : 0.3) ? 'good' : random.pick(kinds),
    latencyMs: random.between(0, 100),
    msPerChunk: random.between(0, 20),
    faultRate: random.pick([0.1, 0.5, 1]),
    // Nothing can tell the old content of a silent parent from the new one.
    tellsVersion: contentChanges || random.chance(0.5),
  }));
}

function drawOrigin(random: Random): OriginPlan {
  const validator = random.pick<OriginPlan['validator']>(['etag', 'etag', 'last-modified', 'none']);
  const changes = validator !== 'none' && random.chance(0.25) ? random.between(1, 2) : 0;
  return {
    supportsRange: random.chance(0.8),
    tellsLength: random.chance(0.9),
    validator,
    changesAtMs: Array.from({ length: changes }, () => random.between(0, 1500)).sort((a, b) => a - b),
    latencyMs: random.between(0, 200),
    msPerChunk: random.between(0, 30),
    faultRate: random.chance(0.5) ? 0 : random.pick([0.05, 0.3]),
    isDown: random.chance(0.04),
  };
}

function drawScheduler(random: Random): SchedulerPlan {
  const kinds = [
    'none',
    'unreachable',
    'slow',
    'mute',
    'breaking',
    'restarting',
    'to-source',
    'empty',
    'no-parents',
  ] as const;
  return { kind: random.chance(0.55) ? 'good' : random.pick(kinds), atMs: random.between(0, 2000) };
}

function drawDisk(random: Random): DiskPlan {
  const draw = random.next();
  if (draw < 0.05) return { ...HEALTHY_DISK, fullAfterBytes: random.between(0, 3000) };
  if (draw < 0.12) return { ...HEALTHY_DISK, errorRate: random.pick([0.01, 0.1]) };
  if (draw < 0.25) return { ...HEALTHY_DISK, syncMs: 4000 };
  return HEALTHY_DISK;
}

function drawClient(random: Random, isFirst: boolean): ClientPlan {
  const joinAtMs = isFirst ? 0 : random.between(0, 1500);
  const from = random.next();
  return {
    joinAtMs,
    // Some begin beyond the end: those are refused, and must not disturb the others.
    range: random.chance(0.4)
      ? { from: random.chance(0.05) ? 2 : from, to: from + random.next() * (1 - from) }
      : undefined,
    leaveAtMs: random.chance(0.2) ? joinAtMs + random.between(0, 1500) : undefined,
  };
}
