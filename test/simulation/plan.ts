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
  'following', // starts anew with the origin, and then has another version than it offered
  'trickling', // never silent for long, and never done
] as const;

const IDLE_TIMEOUT_MS = 2000;
const RACERS = ['slow', 'slow', 'lying'] as const;

export interface ParentPlan {
  kind: (typeof PARENT_KINDS)[number];
  latencyMs: number;
  msPerChunk: number;
  /** Of the faults that happen now and then. */
  faultRate: number;
  /** Whether it tells which version of the content it has, as our own peers do. */
  tellsVersion: boolean;
  /** Again with each piece; those that only follow the offers don't. */
  tellsVersionWithPieces: boolean;
}

export interface OriginPlan {
  supportsRange: boolean;
  tellsLength: boolean;
  /** Nobody can tell that a content without one has changed, except by its length and by comparing pieces. */
  validator: 'etag' | 'last-modified' | 'none';
  /** When the content changes. */
  changesAtMs: number[];
  latencyMs: number;
  msPerChunk: number;
  /** Of 5xx, resets, wrong lengths, trickles and stalls. */
  faultRate: number;
  /** Between two chunks of an answer that trickles: just short of what is taken for silence. */
  trickleMs: number;
  /** Of whole contents where a range was asked. */
  ignoresRangeRate: number;
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
  /** Of other tasks, which may go for this one. */
  dispensableBytes: number;
  /** Of EIO at every operation. */
  errorRate: number;
  /** Longest sync. */
  syncMs: number;
  /** From then on nothing on it gets done, until all downloads are over. */
  hangsAtMs: number | undefined;
}

export interface ClientPlan {
  joinAtMs: number;
  /** Shares of the content; undefined: all of it. */
  range: { from: number; to: number } | undefined;
  /** Goes away before the download is done. */
  leaveAtMs: number | undefined;
  disableBackToSource: boolean;
}

export interface StopPlan {
  kind: 'kill' | 'power-loss' | 'restart';
  atMs: number;
}

/** Everything that is decided before a run. */
export interface Plan {
  contentLengths: number[];
  pieceLength: number;
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

const HEALTHY_DISK: DiskPlan = {
  fullAfterBytes: Number.POSITIVE_INFINITY,
  dispensableBytes: 0,
  errorRate: 0,
  syncMs: 5,
  hangsAtMs: undefined,
};

export function drawPlan(random: Random): Plan {
  const pieceLength = random.pick([64, 256]);
  // Some seeds are all about who is fastest: slow parents are raced by liars for a few pieces.
  const isRace = random.chance(0.15);
  const length = random.chance(0.05) ? 0 : random.between(1, (isRace ? 3 : 16) * pieceLength);
  const origin = drawOrigin(random);
  const contentLengths = [
    length,
    // Without a validator another length is what gives a change away.
    ...origin.changesAtMs.map(() =>
      random.chance(origin.validator === 'none' ? 0.9 : 0.5) ? length : random.between(1, 16 * pieceLength),
    ),
  ];
  return {
    contentLengths,
    pieceLength,
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
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      collectedPieceTimeoutMs: 3000,
      maxScheduleCount: random.between(1, 4),
      originTimeoutMs: 2000,
      maxOriginAttempts: random.between(1, 4),
      originRequestHeader: {},
      smallTaskBytes: random.chance(0.1) ? 4096 : 0,
    },
  };
}

export function isHealthy({ errorRate, fullAfterBytes, hangsAtMs }: DiskPlan): boolean {
  return errorRate === 0 && fullAfterBytes === Number.POSITIVE_INFINITY && hangsAtMs === undefined;
}

/** Whether versions of the content can be told apart. */
export function tellsChanges({ validator, changesAtMs }: OriginPlan): boolean {
  return validator !== 'none' || changesAtMs.length === 0;
}

/** Whether nothing that a download can't do without fails: then it must succeed, whatever parents and schedulers do. */
export function mustSucceed({ origin, disk, removeAtMs }: Plan): boolean {
  return origin.faultRate === 0 && !origin.isDown && isHealthy(disk) && removeAtMs === undefined;
}

function drawParents(random: Random, contentChanges: boolean, isRace: boolean): ParentPlan[] {
  const count = isRace ? random.between(2, 4) : random.between(0, 5);
  const kinds = Array.from({ length: count }, () => drawKind(random, contentChanges, isRace));
  return kinds.map((kind) => ({
    kind,
    latencyMs: random.between(0, 100),
    msPerChunk: random.between(isRace ? 5 : 0, 20),
    faultRate: isRace ? 1 : random.pick([0.1, 0.5, 1]),
    // Nothing can tell the old content of a silent parent from the new one.
    tellsVersion: contentChanges || random.chance(0.5),
    tellsVersionWithPieces: kind === 'following' || random.chance(0.5),
  }));
}

function drawKind(random: Random, contentChanges: boolean, isRace: boolean): ParentPlan['kind'] {
  if (isRace) return random.pick(RACERS);
  if (contentChanges && random.chance(0.4)) return 'following';
  return random.chance(0.3) ? 'good' : random.pick(PARENT_KINDS);
}

function drawOrigin(random: Random): OriginPlan {
  const validator = random.pick<OriginPlan['validator']>(['etag', 'etag', 'last-modified', 'none']);
  const changes = random.chance(0.25) ? random.between(1, 2) : 0;
  return {
    supportsRange: random.chance(0.8),
    tellsLength: random.chance(0.9),
    validator,
    changesAtMs: Array.from({ length: changes }, () => random.between(0, 1500)).sort((a, b) => a - b),
    latencyMs: random.between(0, 200),
    msPerChunk: random.between(0, 30),
    faultRate: random.chance(0.5) ? 0 : random.pick([0.05, 0.3]),
    trickleMs: 0.9 * IDLE_TIMEOUT_MS,
    // One that changes unseen is sent as a stream over pieces of what it was.
    ignoresRangeRate: random.chance(0.1) || (validator === 'none' && changes > 0) ? 0.3 : 0,
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
  if (draw < 0.05)
    return { ...HEALTHY_DISK, fullAfterBytes: random.between(0, 3000), dispensableBytes: random.between(0, 6000) };
  if (draw < 0.12) return { ...HEALTHY_DISK, errorRate: random.pick([0.01, 0.1]) };
  if (draw < 0.25) return { ...HEALTHY_DISK, syncMs: 4000 };
  if (draw < 0.28) return { ...HEALTHY_DISK, hangsAtMs: random.between(0, 2000) };
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
    disableBackToSource: random.chance(0.1),
  };
}
