import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { until } from '../test/support/until.js';
import { runClient } from './support/client.js';
import { enterBenchNetwork } from './support/network.js';
import { startOrigin } from './support/origin.js';
import { startDfpeer, uploadConfig, type DfpeerServer } from './support/servers.js';
import { jainIndex } from './support/statistics.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:limiter [-- --seconds N]: how exact an upload limit is, and what keeping it costs by each route. */
const MIB = 1024 * 1024;
const FILE_BYTES = 64 * MIB;
const RANGE_BYTES = 4 * MIB;
/** Not counted, neither bytes nor CPU. */
const SETTLE_SECONDS = 1;
const FAIRNESS = { mibPerSecond: 100, transfers: 32 };
const COST_MIB_PER_SECOND = 100;

type Route = 'copy' | 'paced';

interface Measurement {
  route: Route;
  mibPerSecond: number;
  transfers: number;
  /** Received / limit over the whole time. */
  mean: number;
  /** The highest rate of 100 ms / limit. */
  peak: number;
  jain: number;
  cpuSecondsPerGib: number;
}

const { values: flags } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, limits: { type: 'string', default: '1000,100,10,1' } },
});
const seconds = Number(flags.seconds);
/** The highest limit first: it warms up what the others are measured with. */
const CASES = [
  ...flags.limits
    .split(',')
    .map(Number)
    .flatMap((mibPerSecond) => [1, 64].map((transfers) => ({ mibPerSecond, transfers }))),
  FAIRNESS,
];

async function setLimit({ daemon }: DfpeerServer, route: Route, mibPerSecond: number): Promise<void> {
  await daemon.writeConfig(uploadConfig({ bandwidthLimit: `${mibPerSecond}MiB`, limitedRoute: route }));
  daemon.signal('SIGHUP');
  await until(
    'the new limit',
    async () => (await daemon.metric('dfpeer_upload_limit_bytes_per_second')) === mibPerSecond * MIB,
  );
}

async function measure(server: DfpeerServer, route: Route, each: (typeof CASES)[number]): Promise<Measurement> {
  await setLimit(server, route, each.mibPerSecond);
  const load = { rangeBytes: RANGE_BYTES, fileBytes: FILE_BYTES, connections: each.transfers };
  await runClient(server, { ...load, seconds: SETTLE_SECONDS });
  const report = await runClient(server, { ...load, seconds, settleSeconds: SETTLE_SECONDS });
  const limit = each.mibPerSecond * MIB;
  return {
    route,
    ...each,
    mean: report.bytes / report.seconds / limit,
    peak: Math.max(...report.windowRates) / limit,
    jain: jainIndex(report.bytesByConnection),
    cpuSecondsPerGib: report.cpuSecondsPerGib,
  };
}

async function main(): Promise<void> {
  const congestionControl = enterBenchNetwork();
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-bench-'));
  const origin = await startOrigin(directory, FILE_BYTES);
  const measurements: Measurement[] = [];
  try {
    for (const route of ['copy', 'paced'] as const) {
      const server = await startDfpeer(route, join(directory, route), origin.url, {
        bandwidthLimit: '1MiB',
        limitedRoute: route,
      });
      try {
        for (const each of CASES) measurements.push(await measure(server, route, each));
      } finally {
        await server.stop();
      }
    }
    print(measurements, congestionControl);
    writeResults('limiter', { congestionControl, seconds, measurements });
  } finally {
    await origin.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(measurements: readonly Measurement[], congestionControl: string): void {
  console.log(`\n${seconds} s each, at the client, congestion control ${congestionControl}.\n`);
  const rows = measurements.map((each) => [
    each.route,
    `${each.mibPerSecond} MiB/s`,
    String(each.transfers),
    each.mean.toFixed(3),
    each.peak.toFixed(2),
    each.jain.toFixed(3),
    each.cpuSecondsPerGib.toFixed(3),
  ]);
  const header = ['route', 'limit', 'transfers', 'mean / limit', '100 ms peak / limit', 'Jain', 'CPU s/GiB'];
  console.log(`${formatTable(header, rows)}\n`);
  for (const transfers of [1, 64]) {
    const [copy, paced] = (['copy', 'paced'] as const).map((route) =>
      measurements.find(
        (each) => each.route === route && each.mibPerSecond === COST_MIB_PER_SECOND && each.transfers === transfers,
      ),
    );
    if (copy === undefined || paced === undefined) continue;
    const ratio = (paced.cpuSecondsPerGib / copy.cpuSecondsPerGib).toFixed(2);
    console.log(`paced / copy, CPU at ${COST_MIB_PER_SECOND} MiB/s, ${transfers} transfers: ${ratio}`);
  }
}

await main();
