import { Random } from '../simulation/random.js';
import { makeFiles, type SoakFile } from './soak-file.js';

export const DAEMON_COUNT = 6;
/** These live from the first minute to the last: what they leak adds up. The first one has the scheduler, which is restarted. */
export const SURVIVORS: readonly number[] = [1, 2];
const VICTIMS = [0, 3, 4, 5] as const;

const MIB = 1024 * 1024;

export type SoakEvent = { atMs: number } & (
  | { kind: 'kill' | 'restart'; daemon: number; downMs: number }
  /** Bytes per second; undefined is none. */
  | { kind: 'limit'; daemon: number; bytesPerSecond: number | undefined; route: 'copy' | 'paced' }
  | { kind: 'origin'; faultRate: number }
  /** The liar comes back under another name, as everybody has had enough of the old one. */
  | { kind: 'liar' }
);

/** What one dfget is asked to do. */
export interface DownloadOrder {
  daemon: number;
  file: SoakFile;
  /** Of the file, as fractions. */
  range: { from: number; to: number } | undefined;
  withDigest: boolean;
  timeoutMs: number;
  flags: readonly string[];
}

/** Everything that chance decides: the same seed gives the same plan, though not the same race. */
export interface SoakPlan {
  seed: number;
  durationMs: number;
  files: readonly SoakFile[];
  events: readonly SoakEvent[];
  /** One endless list of orders for each worker; those that come together are given at once. */
  workers: readonly (() => readonly DownloadOrder[])[];
  originRandom: Random;
}

const WORKER_COUNT = 4;
/** The last part without mischief: what is still broken then stays broken. */
export const CALM_SHARE = 0.1;

export function makePlan(seed: number, durationMs: number, fileCount = 50): SoakPlan {
  const random = new Random(seed);
  const files = makeFiles(fileCount, seed, random.fork());
  const events = makeEvents(random.fork(), durationMs * (1 - CALM_SHARE));
  const workers = Array.from({ length: WORKER_COUNT }, () => makeOrders(random.fork(), files));
  return { seed, durationMs, files, events, workers, originRandom: random.fork() };
}

function makeEvents(random: Random, untilMs: number): SoakEvent[] {
  const events: SoakEvent[] = [{ atMs: 0, kind: 'origin', faultRate: 0.1 }];
  for (let atMs = random.between(2000, 6000); atMs < untilMs; atMs += random.between(2000, 6000))
    events.push({ atMs, ...makeEvent(random) });
  return events;
}

type WithoutTime<T> = T extends { atMs: number } ? Omit<T, 'atMs'> : never;

function makeEvent(random: Random): WithoutTime<SoakEvent> {
  const draw = random.next();
  if (draw < 0.35) return { kind: 'kill', daemon: random.pick(VICTIMS), downMs: random.between(0, 3000) };
  if (draw < 0.5) return { kind: 'restart', daemon: random.pick(VICTIMS), downMs: random.between(0, 1000) };
  if (draw < 0.8) {
    const bytesPerSecond = random.pick([undefined, 4 * MIB, 16 * MIB, 64 * MIB]);
    const daemon = random.between(0, DAEMON_COUNT - 1);
    return { kind: 'limit', daemon, bytesPerSecond, route: random.pick(['copy', 'paced']) };
  }
  if (draw > 0.93) return { kind: 'liar' };
  return { kind: 'origin', faultRate: random.pick([0, 0.05, 0.15, 0.3]) };
}

const FLAGS: readonly [readonly string[], ...(readonly string[])[]] = [
  [],
  [],
  [],
  ['--no-hard-link'],
  ['--no-hard-link'],
  ['--transfer-from-dfdaemon'],
  ['--ratelimit', '8MiB'],
];

/** Of those who want the same at once, some pass pieces on while they arrive. */
const CROWD = 4;

function makeOrders(random: Random, files: readonly SoakFile[]): () => readonly DownloadOrder[] {
  const next = (): DownloadOrder => {
    const file = files[random.between(0, files.length - 1)];
    if (file === undefined) throw new Error('there are no files');
    const [one, other] = [random.next(), random.next()];
    return {
      daemon: random.between(0, DAEMON_COUNT - 1),
      file,
      range: random.chance(0.1) && file.size > 1 ? { from: Math.min(one, other), to: Math.max(one, other) } : undefined,
      withDigest: random.chance(0.5),
      timeoutMs: random.pick([10_000, 20_000, 40_000]),
      flags: random.pick(FLAGS),
    };
  };
  return () => {
    const order = next();
    const others = random.chance(0.2) ? CROWD - 1 : 0;
    const daemons = Array.from({ length: 1 + others }, (_, index) => (order.daemon + index) % DAEMON_COUNT);
    return daemons.map((daemon) => ({ ...order, daemon }));
  };
}
