import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { silentLogger } from '../src/core/logger.js';
import { TrafficType } from '../src/core/piece.js';
import { computeTaskId } from '../src/core/task-id.js';
import { TaskStore } from '../src/peer/store/task-store.js';
import { median } from './support/statistics.js';
import { formatTable, writeResults } from './support/table.js';

/** npm run bench:store [-- --rounds N]: how long a store of 100,000 pieces takes to open, in a process of its own each time. */
const PIECE_LENGTH = 4 * 1024 * 1024;
const GOAL_MS = 2000;
const CASES = [
  { tasks: 1, pieces: 100_000 },
  { tasks: 100, pieces: 1000 },
  { tasks: 1000, pieces: 100 },
  { tasks: 10_000, pieces: 10 },
];

/** Milliseconds since the process asked for the store, except `rssMiB`. */
interface Opening {
  /** Everything read: the daemon goes on starting. */
  openMs: number;
  /** Every task looked at: all is served. */
  servedMs: number;
  pieces: number;
  rssMiB: number;
}

/** Complete tasks whose data files are sparse: the bytes do not matter to what is measured. */
async function fill(directory: string, { tasks, pieces }: (typeof CASES)[number]): Promise<void> {
  const store = await TaskStore.openDirectory(directory, { logger: silentLogger });
  for (let index = 0; index < tasks; index++) {
    const url = `https://registry.example.com/v2/library/image/blobs/${index}`;
    const task = await store.create({
      taskId: computeTaskId({ url }),
      url,
      tag: 'bench',
      application: 'bench',
      filteredQueryParams: [],
      contentLength: pieces * PIECE_LENGTH,
      pieceLength: PIECE_LENGTH,
      fixedPieceLength: undefined,
      etag: `"${index}"`,
      lastModified: undefined,
      responseHeader: { etag: `"${index}"`, 'content-type': 'application/octet-stream' },
    });
    await Promise.all(
      Array.from({ length: pieces }, (_, number) =>
        task.addPiece({
          number,
          offset: number * PIECE_LENGTH,
          length: PIECE_LENGTH,
          digest: `crc32:${number}`,
          parentId: '10.0.0.1-1234-0123456789ab',
          trafficType: TrafficType.REMOTE_PEER,
          costMs: 12,
          createdAtMs: Date.now(),
        }),
      ),
    );
    await task.finish();
  }
  await store.close();
}

async function openStore(directory: string): Promise<Opening> {
  const startedMs = performance.now();
  const store = await TaskStore.openDirectory(directory, { logger: silentLogger });
  const openMs = performance.now() - startedMs;
  await store.allSettled();
  const servedMs = performance.now() - startedMs;
  const pieces = store.tasks().reduce((sum, task) => sum + task.pieceCount, 0);
  const opening = { openMs, servedMs, pieces, rssMiB: process.memoryUsage().rss / 1024 / 1024 };
  await store.close();
  return opening;
}

function openInChild(directory: string): Opening {
  const args = ['--enable-source-maps', fileURLToPath(import.meta.url), '--open', directory];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the store could not be opened: ${stderr}`);
  return JSON.parse(stdout) as Opening;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { open: { type: 'string' }, rounds: { type: 'string' } } });
  if (values.open !== undefined) return console.log(JSON.stringify(await openStore(values.open)));
  const rounds = Number(values.rounds ?? 3);
  const measurements: (Opening & { tasks: number; round: number })[] = [];
  for (const each of CASES) {
    const directory = mkdtempSync(join(tmpdir(), 'dfpeer-bench-'));
    try {
      await fill(directory, each);
      for (let round = 1; round <= rounds; round++)
        measurements.push({ tasks: each.tasks, round, ...openInChild(directory) });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  print(measurements, rounds);
  writeResults('store-start', { measurements });
}

function print(measurements: readonly (Opening & { tasks: number })[], rounds: number): void {
  console.log(
    `\nA store of 100,000 pieces opened by a new process; goal ${GOAL_MS} ms; medians of ${rounds} rounds.\n`,
  );
  const rows = CASES.map(({ tasks, pieces }) => {
    const ofCase = measurements.filter((each) => each.tasks === tasks);
    const middle = (of: (each: Opening) => number): number => median(ofCase.map(of));
    return [
      tasks.toLocaleString('en'),
      pieces.toLocaleString('en'),
      middle(({ openMs }) => openMs).toFixed(0),
      middle(({ servedMs }) => servedMs).toFixed(0),
      middle(({ rssMiB }) => rssMiB).toFixed(0),
      middle((each) => each.pieces).toLocaleString('en'),
    ];
  });
  console.log(formatTable(['tasks', 'pieces each', 'read ms', 'served ms', 'RSS MiB', 'pieces'], rows));
}

await main();
