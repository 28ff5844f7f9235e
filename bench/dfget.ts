import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { DaemonProcess, run } from '../test/support/daemon-process.js';
import { type Circumstance, CIRCUMSTANCES } from './support/circumstances.js';
import { enterBenchNetwork, hasProgram } from './support/network.js';
import { makeFile } from './support/origin.js';
import { startNginx } from './support/servers.js';
import { median } from './support/statistics.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:dfget [-- --quick --only=healthy --qdisc="netem delay 10ms rate 500mbit"]: dfget against curl, in the same rounds. */
const KIB = 1024;
const MIB = 1024 * KIB;
const DFGET = join(import.meta.dirname, '..', '..', 'bin', 'dfget');
/** What dfget may take longer than curl. */
const ALLOWED_SHARE = 0.05;
const ALLOWED_MS = 50;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    qdisc: { type: 'string' },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 5 : 9));
const SIZES = [
  { name: '1 KiB', bytes: KIB },
  { name: '1 MiB', bytes: MIB },
  { name: '64 MiB', bytes: 64 * MIB },
  ...(flags.quick ? [] : [{ name: '1 GiB', bytes: 1024 * MIB }]),
];

interface Measurement {
  circumstance: string;
  size: string;
  round: number;
  dfgetMs: number;
  curlMs: number;
}

/** Wall time of a command from its start to its end, in milliseconds. */
async function time(program: string, args: string[]): Promise<number> {
  const startedMs = performance.now();
  const { code, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return performance.now() - startedMs;
}

async function measure(
  circumstance: Circumstance,
  originUrl: (size: string) => string,
  directory: string,
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  mkdirSync(directory);
  const { daemon, prepare, end } = await circumstance.start(directory);
  const output = join(directory, 'output');
  try {
    // The first download pays for what every daemon does once.
    await time(DFGET, dfgetArgs(daemon, `${originUrl('1 KiB')}?warm-up`, output));
    for (const { name } of SIZES)
      for (let round = 0; round < rounds; round++) {
        // Another query is another task, and the same file for nginx.
        const url = `${originUrl(name)}?${round}`;
        await prepare(url);
        rmSync(output, { force: true });
        const dfgetMs = await time(DFGET, dfgetArgs(daemon, url, output));
        rmSync(output, { force: true });
        const curlMs = await time('curl', ['-sS', '--fail', url, '-o', output]);
        measurements.push({ circumstance: circumstance.name, size: name, round, dfgetMs, curlMs });
      }
  } finally {
    await end();
    rmSync(directory, { recursive: true, force: true });
  }
  return measurements;
}

function dfgetArgs({ socketPath }: Pick<DaemonProcess, 'socketPath'>, url: string, output: string): string[] {
  return ['-e', socketPath, url, '-O', output, '--overwrite', '--no-progress'];
}

/** Of a Node that does nothing, and of dfget until it would connect: what no daemon can make up for. */
function measureStarts(): { nodeMs: number; dfgetMs: number } {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '' };
  const start = (program: string, ...args: string[]): number => {
    const startedMs = performance.now();
    spawnSync(program, args, { env });
    return performance.now() - startedMs;
  };
  const noDaemon = dfgetArgs(
    { socketPath: join(tmpdir(), 'nobody.sock') },
    'http://127.0.0.1/',
    join(tmpdir(), 'nothing'),
  );
  const times = Array.from(
    { length: 9 },
    () => [start(process.execPath, '-e', '0'), start(DFGET, ...noDaemon)] as const,
  );
  return { nodeMs: median(times.map(([node]) => node)), dfgetMs: median(times.map(([, dfget]) => dfget)) };
}

/** As tc(8) takes it; some kernels lack netem. */
function shapeLoopback(qdisc: string): void {
  const { status, stderr } = spawnSync('tc', ['qdisc', 'add', 'dev', 'lo', 'root', ...qdisc.split(' ')], {
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new Error(`tc refuses "${qdisc}" (${stderr.trim()}): try "tbf rate 500mbit burst 1mb latency 50ms"`);
}

async function main(): Promise<void> {
  if (!hasProgram('curl') || !hasProgram('nginx')) throw new Error('this needs curl and nginx');
  const congestionControl = enterBenchNetwork();
  if (flags.qdisc !== undefined) shapeLoopback(flags.qdisc);
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-bench-'));
  const files = join(directory, 'files');
  mkdirSync(files);
  for (const { name, bytes } of SIZES) {
    const path = join(files, name.replace(' ', ''));
    if (bytes < 8 * MIB) writeFileSync(path, randomBytes(bytes));
    else makeFile(path, bytes);
  }
  const nginx = await startNginx('origin', join(files, '1KiB'), directory, true);
  if (nginx === undefined) throw new Error('nginx did not start');
  const originUrl = (size: string): string => `http://127.0.0.1:${nginx.port}/${size.replace(' ', '')}`;
  try {
    const starts = measureStarts();
    const only = new RegExp(flags.only ?? '');
    const measurements: Measurement[] = [];
    for (const circumstance of CIRCUMSTANCES.filter(({ name }) => only.test(name)))
      measurements.push(...(await measure(circumstance, originUrl, join(directory, `case-${measurements.length}`))));
    print(measurements, starts, congestionControl);
    writeResults('dfget', { congestionControl, qdisc: flags.qdisc, starts, measurements });
  } finally {
    await nginx.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(
  measurements: readonly Measurement[],
  { nodeMs, dfgetMs }: ReturnType<typeof measureStarts>,
  congestionControl: string,
): void {
  console.log(
    `\nOrigin nginx on loopback${flags.qdisc === undefined ? '' : ` with ${flags.qdisc}`}, ${congestionControl}; medians of ${rounds} rounds, in ms. Node's own start: ${nodeMs.toFixed(0)}, dfget's without a daemon to ask: ${dfgetMs.toFixed(0)}. Allowed: curl + 5 % + 50 ms.\n`,
  );
  const rows: string[][] = [];
  for (const circumstance of new Set(measurements.map((each) => each.circumstance)))
    for (const { name } of SIZES) {
      const own = measurements.filter((each) => each.circumstance === circumstance && each.size === name);
      const curl = median(own.map((each) => each.curlMs));
      const dfget = median(own.map((each) => each.dfgetMs));
      const worst = Math.max(...own.map((each) => each.dfgetMs - each.curlMs));
      const over = median(own.map((each) => each.dfgetMs - each.curlMs * (1 + ALLOWED_SHARE))) - ALLOWED_MS;
      const verdict = over <= 0 ? 'kept' : `${over.toFixed(0)} ms over`;
      rows.push([circumstance, name, ...[dfget, curl, dfget - curl, worst].map((ms) => ms.toFixed(0)), verdict]);
    }
  console.log(`${formatTable(['', 'size', 'dfget', 'curl', 'difference', 'worst', '5 % + 50 ms'], rows)}\n`);
}

await main();
