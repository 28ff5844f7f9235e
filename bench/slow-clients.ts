import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { until } from '../test/support/until.js';
import { runClient } from './support/client.js';
import { cpuSeconds, residentBytes } from './support/cpu.js';
import { enterBenchNetwork } from './support/network.js';
import { startOrigin } from './support/origin.js';
import { startDfpeer } from './support/servers.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:slow-clients: what 1,000 clients that hardly read cost, and whether a fast one notices them. */
const MIB = 1024 * 1024;
const FILE_BYTES = 512 * MIB;
const RANGE_BYTES = 4 * MIB;
const SLOW_CLIENTS = join(import.meta.dirname, '..', 'native', 'bench', 'slow-clients.js');

const { values: flags } = parseArgs({
  options: { clients: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '10' } },
});
const clients = Number(flags.clients);
const seconds = Number(flags.seconds);
/** All of them together read 1 MiB/s. */
const bytesPerSecond = Math.max(1, Math.floor(MIB / clients));

interface Measurement {
  when: string;
  residentMib: number;
  fastMibPerSecond: number;
  /** Of the daemon while only the slow clients read. */
  idleCpuShare: number;
}

async function main(): Promise<void> {
  const congestionControl = enterBenchNetwork();
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-bench-'));
  const origin = await startOrigin(directory, FILE_BYTES);
  const daemon = await startDfpeer('dfpeer', join(directory, 'daemon'), origin.url, { maxConcurrentTransfers: 4000 });
  const measure = async (when: string): Promise<Measurement> => {
    const before = cpuSeconds(daemon.pid);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const idleCpuShare = (cpuSeconds(daemon.pid) - before) / seconds;
    const residentMib = residentBytes(daemon.pid) / MIB;
    const load = { rangeBytes: RANGE_BYTES, fileBytes: FILE_BYTES, connections: 1, seconds };
    const fast = await runClient(daemon, load);
    return { when, residentMib, fastMibPerSecond: fast.bytes / MIB / fast.seconds, idleCpuShare };
  };
  try {
    await runClient(daemon, { rangeBytes: RANGE_BYTES, fileBytes: FILE_BYTES, connections: 1, seconds });
    const measurements = [await measure('alone')];
    const slow = spawn(process.execPath, [SLOW_CLIENTS, ...slowArguments(daemon.port, daemon.path)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(slow.stdout, 'data');
      await until(
        'every slow client to be served',
        async () => (await daemon.daemon.metric('dragonfly_client_concurrent_upload_piece_total')) === clients,
      );
      measurements.push(await measure(`beside ${clients} slow clients`));
    } finally {
      slow.kill('SIGKILL');
    }
    print(measurements, congestionControl);
    writeResults('slow-clients', { congestionControl, clients, bytesPerSecond, measurements });
  } finally {
    await Promise.all([daemon.stop(), origin.stop()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

function slowArguments(port: number, path: string): string[] {
  const named = { port, path, 'range-bytes': RANGE_BYTES, 'file-bytes': FILE_BYTES, connections: clients };
  return Object.entries({ ...named, 'bytes-per-second': bytesPerSecond }).map(([name, value]) => `--${name}=${value}`);
}

function print(measurements: readonly Measurement[], congestionControl: string): void {
  console.log(
    `\n${clients} clients that read ${bytesPerSecond} bytes a second each, congestion control ${congestionControl}.\n`,
  );
  const header = ['', 'resident MiB', 'one fast client, MiB/s', 'CPU without it, share of a core'];
  const rows = measurements.map(({ when, residentMib, fastMibPerSecond, idleCpuShare }) => [
    when,
    residentMib.toFixed(0),
    fastMibPerSecond.toFixed(0),
    idleCpuShare.toFixed(3),
  ]);
  console.log(formatTable(header, rows));
}

await main();
