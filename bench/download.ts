import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { DaemonProcess } from '../test/support/daemon-process.js';
import { cpuSeconds, endedChildrenSeconds } from './support/cpu.js';
import { enterBenchNetwork, hasProgram } from './support/network.js';
import { startOrigin } from './support/origin.js';
import { startDfpeer, type DfpeerServer } from './support/servers.js';
import { median } from './support/statistics.js';
import { formatTable, writeResults } from './support/table.js';
import { warmMemory } from './support/warm-memory.js';

/** npm run bench:download [-- --mib N --rounds N]: dfget of a file that one parent has, against curl from the same piece port. */
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What a new daemon fetches before it is measured: daemons run for months, and V8 interprets what it has not seen yet. */
const WARM_UP_BYTES = 64 * MIB;

interface Measurement {
  client: 'dfget' | 'curl';
  round: number;
  seconds: number;
  /** User + system of whoever receives: dfget and its daemon, or curl. */
  childCpuSeconds: number;
  /** And of the daemon that serves. */
  parentCpuSeconds: number;
}

const { values: flags } = parseArgs({
  options: { mib: { type: 'string', default: '1024' }, rounds: { type: 'string', default: '3' } },
});
const fileBytes = Number(flags.mib) * MIB;
const rounds = Number(flags.rounds);

async function main(): Promise<void> {
  const congestionControl = enterBenchNetwork();
  if (!hasProgram('curl')) throw new Error('bench:download compares with curl, which is not installed');
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-download-'));
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const origin = await startOrigin(directory, fileBytes);
    stops.push(() => origin.stop());
    const warmUp = await startWarmUp(directory);
    stops.push(() => warmUp.stop());
    const parent = await startDfpeer('parent', join(directory, 'parent'), origin.url);
    stops.push(() => parent.stop());
    const measurements: Measurement[] = [];
    // The first round fills pages and compiles code: it does not count.
    for (let round = 0; round <= rounds; round++) {
      const pair = [
        await runDfget(parent, { url: origin.url, warmUpUrl: warmUp.url }, directory, round),
        await runCurl(parent, directory, round),
      ];
      if (round > 0) measurements.push(...pair);
    }
    print(measurements, congestionControl);
    writeResults('download', { congestionControl, fileBytes, measurements });
  } finally {
    for (const stop of stops.reverse()) await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startWarmUp(directory: string): ReturnType<typeof startOrigin> {
  const own = join(directory, 'warm-up');
  mkdirSync(own);
  return startOrigin(own, WARM_UP_BYTES);
}

/** A daemon of its own each round: a second dfget would find the task stored. */
async function runDfget(
  parent: DfpeerServer,
  { url, warmUpUrl }: { url: string; warmUpUrl: string },
  directory: string,
  round: number,
): Promise<Measurement> {
  const own = join(directory, 'child');
  const scheduler = { embedded: { enable: false }, addrs: [`127.0.0.1:${parent.daemon.ports.scheduler ?? 0}`] };
  const child = await DaemonProcess.start(own, { scheduler });
  try {
    const warmUp = await child.dfget(warmUpUrl, '-O', join(own, 'warm-up'), '--no-progress');
    if (warmUp.code !== 0) throw new Error(warmUp.stderr);
    const warmUpFromParent = await bytesFromParents(child);
    warmMemory(directory, fileBytes);
    const [childBefore, parentBefore] = [cpuSeconds(child.pid), cpuSeconds(parent.pid)];
    const childrenBefore = endedChildrenSeconds();
    const startedAtMs = performance.now();
    const result = await child.dfget(url, '-O', join(own, 'output'), '--no-progress');
    const seconds = (performance.now() - startedAtMs) / 1000;
    if (result.code !== 0) throw new Error(result.stderr);
    const dfgetCpu = endedChildrenSeconds() - childrenBefore;
    const fromParent = (await bytesFromParents(child)) - warmUpFromParent;
    if (fromParent !== fileBytes) throw new Error(`only ${fromParent} bytes came from the parent`);
    return {
      client: 'dfget',
      round,
      seconds,
      childCpuSeconds: cpuSeconds(child.pid) - childBefore + dfgetCpu,
      parentCpuSeconds: cpuSeconds(parent.pid) - parentBefore,
    };
  } finally {
    await child.end();
    rmSync(own, { recursive: true, force: true });
  }
}

async function bytesFromParents(child: DaemonProcess): Promise<number> {
  return child.metric('dragonfly_client_download_traffic', { type: 'REMOTE_PEER' });
}

/** The whole task in one range. */
async function runCurl(parent: DfpeerServer, directory: string, round: number): Promise<Measurement> {
  const output = join(directory, 'curl-output');
  warmMemory(directory, fileBytes);
  const parentBefore = cpuSeconds(parent.pid);
  const childrenBefore = endedChildrenSeconds();
  const startedAtMs = performance.now();
  const url = `http://127.0.0.1:${parent.port}${parent.path}`;
  await promisify(execFile)('curl', ['-sSf', '-r', `0-${fileBytes - 1}`, '-o', output, url]);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const childCpuSeconds = endedChildrenSeconds() - childrenBefore;
  rmSync(output);
  return { client: 'curl', round, seconds, childCpuSeconds, parentCpuSeconds: cpuSeconds(parent.pid) - parentBefore };
}

function print(measurements: readonly Measurement[], congestionControl: string): void {
  const of = (client: Measurement['client']): Measurement[] => measurements.filter((each) => each.client === client);
  const [dfget, curl] = [of('dfget'), of('curl')];
  const rowsOf = (name: string, value: (measurement: Measurement) => number): string[] => [
    name,
    median(dfget.map(value)).toFixed(2),
    median(curl.map(value)).toFixed(2),
    // Of each round: the machine's neighbours change from round to round.
    median(dfget.map((each, index) => value(each) / value(curl[index] ?? each))).toFixed(2),
  ];
  console.log(
    `\n${flags.mib} MiB from one parent on loopback, congestion control ${congestionControl}; dfget with its daemon, curl from the parent's piece port, into the same file system; medians of ${rounds} rounds.\n`,
  );
  const perGib = (seconds: number): number => seconds / (fileBytes / GIB);
  console.log(
    formatTable(
      ['', 'dfget', 'curl', 'dfget / curl'],
      [
        rowsOf('wall, s', ({ seconds }) => seconds),
        rowsOf('CPU of the receiver, s/GiB', ({ childCpuSeconds }) => perGib(childCpuSeconds)),
        rowsOf('CPU of the parent, s/GiB', ({ parentCpuSeconds }) => perGib(parentCpuSeconds)),
        rowsOf('CPU of both, s/GiB', (each) => perGib(each.childCpuSeconds + each.parentCpuSeconds)),
      ],
    ),
  );
}

await main();
