import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runClient } from './support/client.js';
import { enterBenchNetwork } from './support/network.js';
import { startRust } from './support/dragonfly.js';
import { startOrigin } from './support/origin.js';
import { median } from './support/statistics.js';
import {
  startDfpeer,
  startGo,
  startNginx,
  startReadStream,
  overVortex,
  type DfpeerServer,
  type MeasuredServer,
} from './support/servers.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:upload [-- --quick]: CPU per byte of serving ranges, against nginx measured in the same rounds. */
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const FILE_BYTES = 512 * MIB;
/** Of a file of this size. */
const PIECE_BYTES = 4 * MIB;
const CONNECTIONS = 8;
const REFERENCE = 'nginx, sendfile on';

interface Case {
  name: string;
  rangeBytes: number;
  /** Of one round; the slow servers get a fraction. */
  totalBytes: number;
  /** The file is put out of the page cache before each round. */
  cold?: boolean;
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
const rounds = Number(flags.rounds ?? 4);
const CASES: Case[] = [
  { name: '4 MiB', rangeBytes: 4 * MIB, totalBytes: 24 * GIB * scale },
  { name: '1 MiB', rangeBytes: MIB, totalBytes: 12 * GIB * scale },
  { name: '64 KiB', rangeBytes: 64 * 1024, totalBytes: 2 * GIB * scale },
  { name: '4 MiB, cold', rangeBytes: 4 * MIB, totalBytes: FILE_BYTES / 2, cold: true },
];
/** Compilers at run time need so many bytes of each case before they have seen what is hot. */
const WARM_UP_SHARE = 0.7;

async function measure(server: MeasuredServer, each: Case, round: number, share = 1): Promise<Measurement> {
  if (each.cold === true) evict(server.file);
  const { bytes, requests, seconds, cpuSecondsPerGib } = await runClient(server, {
    rangeBytes: each.rangeBytes,
    fileBytes: FILE_BYTES,
    connections: CONNECTIONS,
    totalBytes: each.totalBytes * share * (isSlow(server) ? 0.15 : 1),
  });
  return {
    server: server.name,
    case: each.name,
    round,
    gibPerSecond: bytes / GIB / seconds,
    requestsPerSecond: requests / seconds,
    cpuSecondsPerGib,
  };
}

/** There and back again, so that a machine that gets slower or faster meanwhile favours nobody. */
function inTurn<T>(servers: readonly T[], round: number): readonly T[] {
  return round % 2 === 1 ? servers : [...servers].reverse();
}

/** Vortex has whole pieces only. */
function hasCase(server: MeasuredServer, { rangeBytes }: Case): boolean {
  return server.protocol !== 'vortex' || rangeBytes === PIECE_BYTES;
}

/** GNU dd with `nocache` and nothing to copy drops a whole file's pages. */
function evict(file: string): void {
  execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

function isSlow(server: MeasuredServer): boolean {
  return /limit|off|createReadStream/.test(server.name);
}

async function main(): Promise<void> {
  const congestionControl = enterBenchNetwork();
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-bench-'));
  const servers: MeasuredServer[] = [];
  try {
    const origin = await startOrigin(directory, FILE_BYTES);
    servers.push(origin);
    const start = (name: string, upload?: Record<string, unknown>): Promise<DfpeerServer> =>
      startDfpeer(name, join(directory, `daemon-${started++}`), origin.url, upload);
    let started = 0;
    const dfpeer = await start('dfpeer, sendfile route');
    // dfget's output is a hard link of what the daemon stores: all servers read the same pages.
    const file = join(directory, 'daemon-0', 'copy');
    const candidates = [
      await startNginx(REFERENCE, file, directory, true),
      dfpeer,
      await startNginx('nginx, sendfile off', file, directory, false),
      await start('dfpeer, copy route (limit out of reach)', { bandwidthLimit: '1GB' }),
      await start('dfpeer, paced route (limit out of reach)', { bandwidthLimit: '1GB', limitedRoute: 'paced' }),
      overVortex('dfpeer over vortex, sendfile route', dfpeer),
      await startRust('Dragonfly Rust dfdaemon, vortex', join(directory, 'dragonfly'), origin.url, dfpeer.path),
      await startGo('Go net/http file server', file, directory),
      await startReadStream('node:http + createReadStream', file),
    ].filter((server) => server !== undefined);
    servers.push(...candidates);
    const only = new RegExp(flags.only ?? '');
    const measured = candidates.filter(({ name }) => name === REFERENCE || only.test(name));
    const measurements: Measurement[] = [];
    for (const each of CASES) {
      const having = measured.filter((server) => hasCase(server, each));
      for (const server of having) await measure(server, each, 0, WARM_UP_SHARE);
      for (let round = 1; round <= rounds; round++)
        for (const server of inTurn(having, round)) measurements.push(await measure(server, each, round));
    }
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
    console.log(
      `${formatTable([`${name} ranges`, 'GiB/s', 'requests/s', 'CPU s/GiB', "CPU ÷ nginx's, median ratio"], cells)}\n`,
    );
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
