import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fuzzDaemon } from './fuzz-daemon.js';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
});
const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('usage: fuzz [--inputs N] [--seed N]\n');
  process.exit(2);
}

/** Long runs: prints what was tried, and what it found with all that is needed to try it again. */
const directory = await mkdtemp(join(tmpdir(), 'dfpeer-fuzz-'));
try {
  const report = await fuzzDaemon(directory, { inputs, seed });
  for (const [method, answers] of report.answers)
    process.stdout.write(`${method}: ${[...answers].map(([answer, count]) => `${answer} ${count}`).join(', ')}\n`);
  const grown = `${Math.round(report.grownBytes / 1024 / 1024)} MiB more memory`;
  process.stdout.write(`${report.inputs} inputs, ${report.findings.length} findings, ${grown}, seed ${seed}\n`);
  for (const finding of report.findings.slice(0, 50)) process.stdout.write(`${finding}\n`);
  process.exitCode = report.findings.length === 0 ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
