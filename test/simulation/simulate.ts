import { parseArgs } from 'node:util';
import { Histogram, reactionsIn } from './exercised.js';
import { runSeed, type SeedResult } from './run-seed.js';

const USAGE =
  'usage: simulate [--seeds N] [--from S] [--verbose]   run N seeds from S on (default: 2000 from 0)\n' +
  '       simulate --seed S                            run one, and show everything that happened';
const MAX_SHOWN = 20;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '2000' },
      seed: { type: 'string' },
      from: { type: 'string', default: '0' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const [seeds = 0, seed = 0, from = 0] = [values.seeds, values.seed ?? '0', values.from].map(Number);
  if ([seeds, seed, from].some((number) => !Number.isSafeInteger(number) || number < 0)) throw new Error(USAGE);
  return values.seed === undefined ? runMany(from, seeds, values.verbose) : runOne(seed);
}

async function runOne(seed: number): Promise<number> {
  const result = await runSeed(seed);
  console.log(JSON.stringify(result.plan, undefined, 1));
  for (const line of result.log) console.log(line);
  console.log(`faults: ${[...result.faults].join(', ') || 'none'}`);
  console.log(describe(result));
  for (const failure of result.failures) console.log(`FAILED: ${failure}`);
  return result.failures.length === 0 ? 0 : 1;
}

async function runMany(from: number, count: number, isVerbose: boolean): Promise<number> {
  const startedAtMs = Date.now();
  const [faults, reactions, outcomes] = [new Histogram(), new Histogram(), new Histogram()];
  let failed = 0;
  let longestMs = 0;
  for (let seed = from; seed < from + count; seed++) {
    const result = await runSeed(seed);
    faults.add(result.faults);
    reactions.add(reactionsIn(result.log));
    for (const outcome of result.outcomes) outcomes.add([outcome]);
    longestMs = Math.max(longestMs, result.virtualMs);
    if (isVerbose) console.log(describe(result));
    if (result.failures.length === 0) continue;
    if (++failed > MAX_SHOWN) continue;
    console.log(`seed ${seed} FAILED: ${result.failures[0]}`);
    console.log(`  again, with all that happened: npm run test:simulation -- --seed ${seed}`);
  }
  print('seeds with each fault', faults);
  print('seeds with each reaction', reactions);
  print('ends of downloads', outcomes);
  console.log(`${count} seeds from ${from}, ${failed} failed, ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s;`);
  console.log(`the longest one took ${(longestMs / 1000).toFixed(0)} s of virtual time`);
  return failed === 0 ? 0 : 1;
}

function describe({ seed, outcomes, virtualMs, faults }: SeedResult): string {
  return `seed ${seed}: ${outcomes.join(', ')} after ${virtualMs.toFixed(0)} ms, ${faults.size} kinds of faults`;
}

function print(title: string, histogram: Histogram): void {
  console.log(`${title}:`);
  for (const line of histogram.lines()) console.log(line);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
