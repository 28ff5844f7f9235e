import { parseArgs } from 'node:util';
import { runSeed } from './run-seed.js';

const USAGE = 'usage: simulate [--seeds N] [--seed S] [--from S]   (default: 2000 seeds from 0)';
const MAX_SHOWN = 20;

/** Runs seeds and prints those that fail; a single one with everything that happened. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seeds: { type: 'string' }, seed: { type: 'string' }, from: { type: 'string' } },
  });
  const numbers = [values.seeds ?? '2000', values.seed ?? '0', values.from ?? '0'].map(Number);
  if (numbers.some((number) => !Number.isSafeInteger(number) || number < 0)) throw new Error(USAGE);
  const [seeds = 0, seed = 0, from = 0] = numbers;
  return values.seed === undefined ? runMany(from, seeds) : runOne(seed);
}

async function runOne(seed: number): Promise<number> {
  const { plan, log, failures, outcomes, virtualMs } = await runSeed(seed);
  console.log(JSON.stringify(plan, undefined, 1));
  for (const line of log) console.log(line);
  console.log(`seed ${seed}: ${outcomes.join(', ')} after ${virtualMs.toFixed(0)} ms`);
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

async function runMany(from: number, count: number): Promise<number> {
  const startedAtMs = Date.now();
  const outcomes = new Map<string, number>();
  let failed = 0;
  let longestMs = 0;
  for (let seed = from; seed < from + count; seed++) {
    const result = await runSeed(seed);
    for (const outcome of result.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    longestMs = Math.max(longestMs, result.virtualMs);
    if (result.failures.length === 0) continue;
    failed++;
    if (failed <= MAX_SHOWN) console.log(`seed ${seed} FAILED: ${result.failures[0]}`);
  }
  const summary = [...outcomes].sort((a, b) => b[1] - a[1]).map(([outcome, times]) => `${outcome} ${times}`);
  console.log(`${count} seeds, ${failed} failed, ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s`);
  console.log(
    `downloads: ${summary.join(', ')}; the longest run took ${(longestMs / 1000).toFixed(0)} s of virtual time`,
  );
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
