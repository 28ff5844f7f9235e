import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makePlan } from './plan.js';
import { formatReport } from './report.js';
import { runSoak } from './run-soak.js';

const USAGE = 'usage: soak [--minutes N] [--seed S] [--keep]   (default: 10 minutes, a random seed)';

/** Real daemons under random load and random harm; prints what came of it. Exit code 1 when anything was not as it must be. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'boolean' } },
  });
  const minutes = Number(values.minutes ?? '10');
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  if (!(minutes > 0) || !Number.isSafeInteger(seed) || seed < 0) throw new Error(USAGE);
  const directory = await mkdtemp(join(tmpdir(), 'dfpeer-soak-'));
  console.log(`seed ${seed}, ${minutes} minutes, in ${directory}`);
  try {
    const report = await runSoak(makePlan(seed, minutes * 60_000), directory, (line) => console.log(line));
    console.log(`\n${formatReport(report)}`);
    return report.failures.length === 0 ? 0 : 1;
  } finally {
    if (values.keep !== true) await rm(directory, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
