import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { cpuSeconds } from './support/cpu.js';
import { enterBenchNetwork } from './support/network.js';
import { median } from './support/statistics.js';
import { startDfpeer, startGo, startNginx, startReadStream, type MeasuredServer } from './support/servers.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:upload [-- --quick]: CPU per byte of serving ranges, against nginx measured in the same rounds. */
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const FILE_BYTES = 512 * MIB;
const CONNECTIONS = 8;
const CLIENT = join(import.meta.dirname, '..', 'native', 'bench', 'discarding-client.js');
const REFERENCE = 'nginx, sendfile on';

interface Case {
  name: string;
  rangeBytes: number;
  /** Of one round; the slow servers get a fraction. */
  totalBytes: number;
}

interface Measurement {
  server: string;
  case: string;
  round: number;
  gibPerSecond: number;
  requestsPerSecond: number;
  cpuSecondsPerGib: number;
}

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, only: { type: 'string' } },
});
const scale = flags.quick ? 0.25 : 1;
const rounds = Number(flags.rounds ?? 3);
const CASES: Case[] = [
  { name: '4 MiB', rangeBytes: 4 * MIB, totalBytes: 24 * GIB * scale },
  { name: '1 MiB', rangeBytes: MIB, totalBytes: 12 * GIB * scale },
  { name: '64 KiB', rangeBytes: 64 * 1024, totalBytes: 2 * GIB * scale },
];
/** Compilers at run time need so many requests before they have seen what is hot. */
const WARM_UP: Case = { name: 'warm-up', rangeBytes: 64 * 1024, totalBytes: GIB };

async function measure(server: MeasuredServer, each: Case, round: number): Promise<Measurement> {
  const totalBytes = each.totalBytes * (isSlow(server) ? 0.15 : 1);
  const args = [CLIENT, '127.0.0.1', server.port, server.path, each.rangeBytes, FILE_BYTES, CONNECTIONS, totalBytes];
  const before = cpuSeconds(server.pid);
  const { stdout } = await promisify(execFile)(process.execPath, args.map(String));
  const cpu = cpuSeconds(server.pid) - before;
  const { bytes, requests, seconds } = JSON.parse(stdout) as { bytes: number; requests: number; seconds: number };
  return {
    server: server.name,
    case: each.name,
    round,
    gibPerSecond: bytes / GIB / seconds,
    requestsPerSecond: requests / seconds,
    cpuSecondsPerGib: cpu / (bytes / GIB),
  };
}

function isSlow(server: MeasuredServer): boolean {
  return /limit|off|createReadStream/.test(server.name);
}

function makeFile(path: string): void {
  const block = Buffer.alloc(8 * MIB);
  const file = openSync(path, 'w', 0o644);
  for (let written = 0; written < FILE_BYTES; written += block.length) writeSync(file, randomFillSync(block));
  closeSync(file);
}

async function main(): Promise<void> {
  const congestionControl = enterBenchNetwork();
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-bench-'));
  const servers: MeasuredServer[] = [];
  try {
    const file = join(directory, 'file.bin');
    makeFile(file);
    const nginx = await startNginx(REFERENCE, file, directory, true);
    const origin = nginx ?? (await startReadStream('origin', file));
    const url = `http://127.0.0.1:${origin.port}${origin.path}`;
    const candidates = [
      nginx,
      await startDfpeer('dfpeer, sendfile route', join(directory, 'unlimited'), url),
      await startNginx('nginx, sendfile off', file, directory, false),
      await startDfpeer('dfpeer, copy route (limit out of reach)', join(directory, 'copy'), url, {
        bandwidthLimit: '1GB',
      }),
      await startDfpeer('dfpeer, paced route (limit out of reach)', join(directory, 'paced'), url, {
        bandwidthLimit: '1GB',
        limitedRoute: 'paced',
      }),
      await startGo('Go net/http file server', file, directory),
      await startReadStream('node:http + createReadStream', file),
    ];
    servers.push(...candidates.filter((server) => server !== undefined));
    if (!servers.includes(origin)) servers.push(origin);
    const only = new RegExp(flags.only ?? '');
    const measured = servers.filter(({ name }) => name !== 'origin' && (name === REFERENCE || only.test(name)));
    const measurements: Measurement[] = [];
    for (const server of measured) await measure(server, WARM_UP, 0);
    for (const each of CASES)
      for (let round = 1; round <= rounds; round++)
        for (const server of measured) measurements.push(await measure(server, each, round));
    print(measurements, congestionControl);
    writeResults('upload', { congestionControl, measurements });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(measurements: readonly Measurement[], congestionControl: string): void {
  console.log(
    `\n${CONNECTIONS} keep-alive connections on loopback, warm page cache, congestion control ${congestionControl}; CPU is the server's, user + system; medians of ${rounds} rounds.\n`,
  );
  for (const { name } of CASES) {
    const ofCase = measurements.filter((each) => each.case === name);
    const cells = [...new Set(ofCase.map(({ server }) => server))].map((server) =>
      rowOf(
        server,
        ofCase.filter((each) => each.server === server),
        ofCase.filter((each) => each.server === REFERENCE),
      ),
    );
    console.log(`${formatTable([`${name} ranges`, 'GiB/s', 'requests/s', 'CPU s/GiB', '× nginx'], cells)}\n`);
  }
}

/** The ratio is the median of each round's ratio: the machine's neighbours change from round to round. */
function rowOf(server: string, own: readonly Measurement[], reference: readonly Measurement[]): string[] {
  const ratios = own.map((each, index) => each.cpuSecondsPerGib / (reference[index]?.cpuSecondsPerGib ?? Number.NaN));
  return [
    server,
    median(own.map((each) => each.gibPerSecond)).toFixed(2),
    median(own.map((each) => each.requestsPerSecond)).toFixed(0),
    median(own.map((each) => each.cpuSecondsPerGib)).toFixed(3),
    reference.length === 0 ? '–' : median(ratios).toFixed(2),
  ];
}

await main();
