import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hasDragonfly } from './support/dragonfly-scheduler.js';
import type { LinkBytes } from './support/link-meter.js';
import { makeFile } from './support/origin.js';
import { runSwarm, type SwarmResult, type SwarmScheduler } from './support/swarm.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:fanout [-- --nodes 2,4,8,16]: how soon every node has a file when all want it at once, over shaped links. */
const MIB = 1024 * 1024;
const CONGESTION_CONTROL = 'reno';
/** Downloaded by all before, so that what is measured is what daemons do that run for long. */
const WARM_UP_MIB = 32;
/** Nothing new is learnt from sixteen at once, and it takes sixteen times as long. */
const MAX_NODES_AT_ORIGIN = 8;

const { values: flags } = parseArgs({
  options: {
    nodes: { type: 'string', default: '2,4,8,16' },
    schedulers: { type: 'string', default: 'embedded,dragonfly,none' },
    mib: { type: 'string', default: '256' },
    mbit: { type: 'string', default: '200' },
    'sample-ms': { type: 'string' },
    cold: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const fileBytes = Number(flags.mib) * MIB;
const bitsPerSecond = Number(flags.mbit) * 1e6;
const boundSeconds = (fileBytes * 8) / bitsPerSecond;

interface Measurement extends SwarmResult {
  scheduler: SwarmScheduler;
  nodes: number;
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('bench:fanout makes network namespaces and shapes links: run it as root');
  const directory = mkdtempSync(join(tmpdir(), 'dfpeer-fanout-'));
  const measurements: Measurement[] = [];
  try {
    const file = join(directory, 'file.bin');
    makeFile(file, fileBytes);
    const warmUpFile = flags.cold ? undefined : join(directory, 'warm-up.bin');
    if (warmUpFile !== undefined) makeFile(warmUpFile, WARM_UP_MIB * MIB);
    for (const { scheduler, nodes } of cases()) {
      const sampleMs = flags['sample-ms'] === undefined ? undefined : Number(flags['sample-ms']);
      const own = join(directory, `${scheduler}-${nodes}`);
      const result = await runSwarm({ nodes, scheduler, bitsPerSecond, file, warmUpFile, directory: own, sampleMs });
      measurements.push({ scheduler, nodes, ...result });
      if (sampleMs !== undefined) printSamples(result.samples, sampleMs);
      if (!flags.keep) rmSync(own, { recursive: true, force: true });
      console.error(rowOf({ scheduler, nodes, ...result }).join('  '));
    }
    print(measurements);
    writeResults('fanout', {
      bitsPerSecond,
      fileBytes,
      cold: flags.cold,
      congestionControl: CONGESTION_CONTROL,
      measurements,
    });
  } finally {
    if (!flags.keep) rmSync(directory, { recursive: true, force: true });
    else console.error(directory);
  }
}

function cases(): { scheduler: SwarmScheduler; nodes: number }[] {
  const wanted = flags.schedulers.split(',');
  const known: SwarmScheduler[] = ['embedded', 'dragonfly', 'none'];
  const schedulers = known.filter((each) => wanted.includes(each) && (each !== 'dragonfly' || hasDragonfly()));
  const counts = flags.nodes.split(',').map(Number);
  return schedulers.flatMap((scheduler) =>
    counts
      .filter((nodes) => scheduler !== 'none' || nodes <= MAX_NODES_AT_ORIGIN)
      .map((nodes) => ({ scheduler, nodes })),
  );
}

function print(measurements: readonly Measurement[]): void {
  console.log(
    `\n${flags.mib} MiB to all nodes at once, every link ${flags.mbit} Mbit/s both ways, congestion control ${CONGESTION_CONTROL}; bound = size / bandwidth = ${boundSeconds.toFixed(2)} s; ${flags.cold ? 'freshly started daemons' : 'daemons that have downloaded another file before'}.\n`,
  );
  const header = [
    'who finds parents',
    'nodes',
    'first done',
    'last done',
    '/ bound',
    'origin sent',
    'links used',
    'CPU busy',
  ];
  console.log(formatTable(header, measurements.map(rowOf)));
}

function rowOf({ scheduler, nodes, seconds, originBytes, links, processorsBusy }: Measurement): string[] {
  const last = Math.max(...seconds);
  const linkBytes = (bitsPerSecond / 8) * last * nodes;
  const sent = links.reduce((sum, link) => sum + link.sent, 0);
  return [
    { embedded: 'embedded scheduler', dragonfly: 'Dragonfly’s scheduler', none: 'nobody: all from the origin' }[
      scheduler
    ],
    String(nodes),
    `${Math.min(...seconds).toFixed(2)} s`,
    `${last.toFixed(2)} s`,
    (last / boundSeconds).toFixed(2),
    `${(originBytes / fileBytes).toFixed(2)} ×`,
    `${Math.round((100 * sent) / linkBytes)} %`,
    `${Math.round(100 * processorsBusy)} %`,
  ];
}

/** Per cent of each node's link in use, one line a node: sent/received from sample to sample. */
function printSamples(samples: readonly (readonly LinkBytes[])[], sampleMs: number): void {
  const full = ((bitsPerSecond / 8) * sampleMs) / 1000 / 100;
  for (let node = 0; node < (samples[0]?.length ?? 0); node++) {
    const cells = samples.slice(1).map((sample, index) => {
      const [now, then] = [sample[node], samples[index]?.[node]];
      const share = (of: keyof LinkBytes): string =>
        Math.round(((now?.[of] ?? 0) - (then?.[of] ?? 0)) / full).toString();
      return `${share('sent')}/${share('received')}`.padStart(8);
    });
    console.error(`node ${String(node).padStart(2)} ${cells.join('')}`);
  }
}

await main();
