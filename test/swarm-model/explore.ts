import { parseArgs } from 'node:util';
import { formatTable } from '../../bench/support/table.js';
import { runModel } from './run-model.js';

/** node dist/test/swarm-model/explore.js [--nodes 4,8,16] [--latency-ms 15,50,150,300] [--seeds 16] [--block-kib 512]: what a change of policy is worth, in a minute. */
const { values: flags } = parseArgs({
  options: {
    nodes: { type: 'string', default: '4,8,16' },
    'latency-ms': { type: 'string', default: '15,50,150,300' },
    seeds: { type: 'string', default: '16' },
    'block-kib': { type: 'string', default: '512' },
  },
});

const numbersOf = (list: string): number[] => list.split(',').map(Number);

const rows: string[][] = [];
for (const nodes of numbersOf(flags.nodes))
  for (const latencyMs of numbersOf(flags['latency-ms'])) {
    const times: number[] = [];
    for (let seed = 0; seed < Number(flags.seeds); seed++)
      times.push((await runModel({ nodes, seed, latencyMs, blockBytes: Number(flags['block-kib']) * 1024 })).lastDone);
    times.sort((a, b) => a - b);
    const quantile = (share: number): string => (times[Math.round(share * (times.length - 1))] ?? NaN).toFixed(2);
    rows.push([String(nodes), `${latencyMs} ms`, quantile(0), quantile(0.5), quantile(1)]);
  }
console.log('When the last node has the file, over size / bandwidth:\n');
console.log(formatTable(['nodes', 'a message takes', 'least', 'median', 'most'], rows));
