import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cpuSeconds } from './support/cpu.js';
import { enterBenchNetwork } from './support/network.js';
import { startDfpeer, startGo, startNginx, startReadStream, type MeasuredServer } from './support/servers.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:upload [-- --quick]: CPU per byte of serving ranges, against nginx measured in the same run. */
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const FILE_BYTES = 512 * MIB;
const CONNECTIONS = 8;
const CLIENT = join(import.meta.dirname, '..', 'native', 'bench', 'discarding-client.js');

interface Case {
  name: string;
  rangeBytes: number;
  totalBytes: number;
}

interface Measurement {
  server: string;
  case: string;
  gibPerSecond: number;
  requestsPerSecond: number;
  cpuSecondsPerGib: number;
}

const quick = process.argv.includes('--quick');
const scale = quick ? 0.25 : 1;
const CASES: Case[] = [
  { name: '4 MiB', rangeBytes: 4 * MIB, totalBytes: 24 * GIB * scale },
  { name: '1 MiB', rangeBytes: MIB, totalBytes: 12 * GIB * scale },
  { name: '64 KiB', rangeBytes: 64 * 1024, totalBytes: 4 * GIB * scale },
];

async function measure(
  server: MeasuredServer,
  { name, rangeBytes, totalBytes }: Case,
  share = 1,
): Promise<Measurement> {
  const client = async (bytes: number): Promise<{ bytes: number; requests: number; seconds: number }> => {
    const args = [CLIENT, '127.0.0.1', server.port, server.path, rangeBytes, FILE_BYTES, CONNECTIONS, bytes].map(
      String,
    );
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout) as { bytes: number; requests: number; seconds: number };
  };
  await client((totalBytes * share) / 8);
  const before = cpuSeconds(server.pid);
  const { bytes, requests, seconds } = await client(totalBytes * share);
  const cpu = cpuSeconds(server.pid) - before;
  return {
    server: server.name,
    case: name,
    gibPerSecond: bytes / GIB / seconds,
    requestsPerSecond: requests / seconds,
    cpuSecondsPerGib: cpu / (bytes / GIB),
  };
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
    const nginx = await startNginx('nginx, sendfile on', file, directory, true);
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
    const measurements: Measurement[] = [];
    for (const each of CASES)
      for (const server of servers.filter(({ name }) => name !== 'origin'))
        measurements.push(await measure(server, each, /limit|off|createReadStream/.test(server.name) ? 0.15 : 1));
    print(measurements, congestionControl);
    writeResults('upload', { congestionControl, measurements });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(measurements: readonly Measurement[], congestionControl: string): void {
  console.log(
    `\n${CONNECTIONS} keep-alive connections on loopback, warm page cache, congestion control ${congestionControl}; CPU is the server's, user + system.\n`,
  );
  for (const { name } of CASES) {
    const rows = measurements.filter((each) => each.case === name);
    const reference = rows.find((each) => each.server === 'nginx, sendfile on')?.cpuSecondsPerGib;
    const cells = rows.map((row) => [
      row.server,
      row.gibPerSecond.toFixed(2),
      row.requestsPerSecond.toFixed(0),
      row.cpuSecondsPerGib.toFixed(3),
      reference === undefined ? '–' : (row.cpuSecondsPerGib / reference).toFixed(2),
    ]);
    console.log(`${formatTable([`${name} ranges`, 'GiB/s', 'requests/s', 'CPU s/GiB', '× nginx'], cells)}\n`);
  }
}

await main();
