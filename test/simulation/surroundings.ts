import { computeTaskId } from '../../src/core/task-id.js';
import { Exercised } from './exercised.js';
import { EventLog } from './event-log.js';
import { MemoryDisk } from './memory-disk.js';
import { MemoryJournal } from './memory-metadata.js';
import type { Plan } from './plan.js';
import type { Random } from './random.js';
import { SimulatedOrigin, type Version } from './simulated-origin.js';

export const TASK_URL = 'http://origin.example/content';
export const TASK_ID = computeTaskId({ url: TASK_URL });

/** What outlives a process: the disk, the world outside, and the record of what happened. */
export interface Surroundings {
  plan: Plan;
  random: Random;
  log: EventLog;
  exercised: Exercised;
  disk: MemoryDisk;
  journal: MemoryJournal;
  origin: SimulatedOrigin;
  versions: readonly [Version, ...Version[]];
  /** Broken promises. */
  failures: string[];
  /** How each client's download ended: `ok`, `left` or the code of its error. */
  outcomes: string[];
}

export function createSurroundings(plan: Plan, random: Random): Surroundings {
  const log = new EventLog();
  const exercised = new Exercised();
  const [first = Buffer.alloc(0), ...others] = plan.contentLengths.map((length) => random.bytes(length));
  const versions: [Version, ...Version[]] = [
    { index: 0, bytes: first },
    ...others.map((bytes, index) => ({ index: index + 1, bytes })),
  ];
  return {
    plan,
    random,
    log,
    exercised,
    versions,
    disk: new MemoryDisk(plan.disk, random.fork(), exercised),
    journal: new MemoryJournal(),
    origin: new SimulatedOrigin(plan.origin, versions, { random: random.fork(), log, exercised }),
    failures: [],
    outcomes: [],
  };
}
