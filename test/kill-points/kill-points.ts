import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { hasProgram } from '../support/skip.js';
import {
  allPoints,
  describePoint,
  OPERATION_NAMES,
  somePoints,
  type KillPoint,
  type SyscallPoint,
} from './kill-plan.js';
import { runKillPoint, type Scenario } from './run-kill-point.js';

const USAGE = 'usage: kill-points [--points N of each scenario; default all] [--strace]';
const MIB = 1024 * 1024;
const SCENARIOS: readonly Scenario[] = ['fresh', 'changed'];
const contents = { old: randomBytes(18 * MIB), current: randomBytes(18 * MIB) };

/** What reaches the disk, and what LevelDB and the log use to get there. */
const SYSCALLS = ['pwrite64', 'write', 'fsync', 'fdatasync', 'ftruncate', 'rename', 'link', 'unlink', 'rmdir', 'mkdir'];
/** Counts grow by this factor when all of them would take hours. */
const STEP = 1.25;

class Tally {
  readonly #killed = new Map<string, number>();
  readonly #startedMs = Date.now();
  tried = 0;
  failed = 0;

  /** False when the program ended before the point was reached. */
  async try(scenario: Scenario, point: KillPoint | SyscallPoint, kind: string): Promise<boolean> {
    this.tried++;
    try {
      const { wasKilled } = await runKillPoint(scenario, contents, point);
      if (wasKilled) this.#killed.set(kind, (this.#killed.get(kind) ?? 0) + 1);
      return wasKilled;
    } catch (error) {
      this.failed++;
      console.log(`FAILED: ${scenario}, killed ${describePoint(point)}: ${String(error)}`);
      return true;
    }
  }

  print(): void {
    const kinds = [...this.#killed].map(([kind, count]) => `${kind} ${count}`).join(', ');
    const seconds = ((Date.now() - this.#startedMs) / 1000).toFixed(0);
    console.log(`${this.tried} kill points, ${this.failed} failed, ${seconds} s; killed at: ${kinds}`);
  }
}

async function killByHook(tally: Tally, count: number | undefined): Promise<void> {
  for (const scenario of SCENARIOS) {
    const { journal } = await runKillPoint(scenario, contents);
    const points = count === undefined ? allPoints(journal) : somePoints(journal, count);
    console.log(`${scenario}: ${journal.length} operations, ${points.length} kill points`);
    for (const point of points)
      await tally.try(scenario, point, OPERATION_NAMES[journal[point.at - 1] ?? ''] ?? 'operation');
  }
}

async function killByStrace(tally: Tally): Promise<void> {
  for (const scenario of SCENARIOS)
    for (const syscall of SYSCALLS)
      for (
        let at = 1;
        await tally.try(scenario, { at, syscall }, syscall);
        at = Math.max(at + 1, Math.round(at * STEP))
      );
}

/** npm run test:kill-points: a real daemon killed at every operation on its store. Exit code 1 when anything did not hold. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { points: { type: 'string' }, strace: { type: 'boolean', default: false } },
  });
  const count = values.points === undefined ? undefined : Number(values.points);
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0)) throw new Error(USAGE);
  if (values.strace && !hasProgram('strace')) throw new Error('there is no strace here');
  const tally = new Tally();
  if (values.strace) await killByStrace(tally);
  else await killByHook(tally, count);
  tally.print();
  return tally.failed === 0 ? 0 : 1;
}

process.exit(
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }),
);
