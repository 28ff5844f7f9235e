import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LIAR_NAME, SoakCluster } from './cluster.js';
import { Downloader, type DownloadTally } from './downloader.js';
import { FlakyOrigin } from './flaky-origin.js';
import { compareHoldings, lookAt, type Holdings } from './leaks.js';
import type { LiarOrders } from './lying-peer.js';
import { CALM_SHARE, DAEMON_COUNT, SURVIVORS, type SoakPlan } from './plan.js';

/** After this much of the time everything has been done once, and what is held then is the measure. */
const WARM_UP_SHARE = 0.3;
/** For connections that are kept a while, and for garbage. */
const QUIET_MS = 8_000;
const SWEEP_TIMEOUT_MS = 60_000;

export interface SoakReport {
  plan: SoakPlan;
  tally: DownloadTally;
  /** Of the last look at each file. */
  sweep: DownloadTally;
  origin: { bytes: number; requests: number; faults: ReadonlyMap<string, number> };
  kills: number;
  restarts: number;
  limitSwitches: number;
  /** Seen by the daemons that lived; those that were killed took their counters along. */
  badPieces: number;
  survivors: { daemon: number; before: Holdings; after: Holdings }[];
  /** Empty: passed. */
  failures: string[];
}

/** Runs the plan against real processes in `directory`. */
export async function runSoak(plan: SoakPlan, directory: string, say: (line: string) => void): Promise<SoakReport> {
  const outputs = join(directory, 'outputs');
  await mkdir(outputs, { recursive: true });
  const origin = await FlakyOrigin.start(plan.files, plan.originRandom);
  const cluster = await SoakCluster.start(directory);
  try {
    const files = plan.files.map((file) => ({ name: file.name, size: file.size, url: origin.url(file) }));
    const liar = { seed: plan.seed, files };
    await cluster.startLiar(liar);
    say(`${DAEMON_COUNT} daemons and a liar run, ${plan.files.length} files, ${plan.events.length} events to come`);
    return await new Soak(plan, outputs, { origin, cluster, liar, say }).run();
  } finally {
    await cluster.stop();
    await origin.close();
  }
}

interface Surroundings {
  origin: FlakyOrigin;
  cluster: SoakCluster;
  liar: Pick<LiarOrders, 'files' | 'seed'>;
  say: (line: string) => void;
}

class Soak {
  readonly #plan: SoakPlan;
  readonly #outputs: string;
  readonly #surroundings: Surroundings;
  readonly #downloader: Downloader;
  readonly #failures: string[] = [];
  /** Workers wait for it before each download. */
  #gate: Promise<void> = Promise.resolve();
  #openGate: () => void = () => undefined;
  #running = 0;

  constructor(plan: SoakPlan, outputs: string, surroundings: Surroundings) {
    this.#plan = plan;
    this.#outputs = outputs;
    this.#surroundings = surroundings;
    this.#downloader = this.#newDownloader();
  }

  async run(): Promise<SoakReport> {
    const { durationMs, workers } = this.#plan;
    const startedMs = performance.now();
    const isOver = (): boolean => performance.now() - startedMs > durationMs;
    const mischief = this.#makeMischief(startedMs);
    const work = Promise.all(workers.map((next) => this.#work(next, isOver)));
    await pause(durationMs * WARM_UP_SHARE);
    const before = await this.#lookInQuiet();
    await work;
    await mischief;
    await this.#surroundings.cluster.settled();
    const sweep = await this.#sweep();
    const after = await this.#lookInQuiet();
    return this.#report(sweep, before, after);
  }

  async #work(next: DownloadTallyOrder, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#gate;
      this.#running++;
      await Promise.all(next().map((order) => this.#downloader.run(order))).finally(() => this.#running--);
    }
  }

  async #makeMischief(startedMs: number): Promise<void> {
    const { cluster, origin, liar, say } = this.#surroundings;
    const under: Promise<void>[] = [];
    for (const event of this.#plan.events) {
      await pause(event.atMs - (performance.now() - startedMs));
      // What is looked at in quiet must be at rest.
      await this.#gate;
      say(`${Math.round(event.atMs / 1000)} s: ${describe(event)}`);
      if (event.kind === 'origin') origin.faultRate = event.faultRate;
      else if (event.kind === 'liar') await cluster.startLiar(liar);
      else
        under.push(
          cluster
            .apply(event)
            .catch((error: unknown) => void this.#failures.push(`${describe(event)}: ${String(error)}`)),
        );
    }
    await pause(this.#plan.durationMs * (1 - CALM_SHARE) - (performance.now() - startedMs));
    origin.faultRate = 0;
    await Promise.all(under);
  }

  /** Stops everything for a moment, and looks at those that were never killed. */
  async #lookInQuiet(): Promise<Map<number, Holdings>> {
    this.#gate = new Promise((resolve) => (this.#openGate = resolve));
    while (this.#running > 0) await pause(50);
    await this.#surroundings.cluster.settled();
    await pause(QUIET_MS);
    const found = new Map<number, Holdings>();
    for (const index of SURVIVORS) found.set(index, await lookAt(this.#surroundings.cluster.daemon(index)));
    this.#openGate();
    return found;
  }

  /** With nothing in the way every file must be had, and be right. */
  async #sweep(): Promise<DownloadTally> {
    const sweeper = this.#newDownloader();
    for (const [index, file] of this.#plan.files.entries()) {
      const order = { daemon: index % DAEMON_COUNT, file, range: undefined, withDigest: false, flags: [] };
      if (!(await sweeper.run({ ...order, timeoutMs: SWEEP_TIMEOUT_MS })))
        this.#failures.push(`${file.name} could not be had from daemon ${order.daemon} at the end`);
    }
    return sweeper.tally;
  }

  async #report(
    sweep: DownloadTally,
    before: ReadonlyMap<number, Holdings>,
    after: ReadonlyMap<number, Holdings>,
  ): Promise<SoakReport> {
    const { cluster, origin } = this.#surroundings;
    const { tally } = this.#downloader;
    const survivors = [...before].flatMap(([daemon, held]) => {
      const holds = after.get(daemon);
      return holds === undefined ? [] : [{ daemon, before: held, after: holds }];
    });
    const grown = survivors.flatMap(({ daemon, ...held }) =>
      compareHoldings(`daemon ${daemon}`, held.before, held.after),
    );
    const { badPieces, accused } = await countBadPieces(cluster);
    const needed = tally.bytes + sweep.bytes;
    const wasteful =
      origin.bytes > needed ? [`the origin gave ${origin.bytes} bytes, without peers ${needed} would do`] : [];
    const ended = await cluster.stop();
    const violations = [...tally.violations, ...sweep.violations];
    return {
      ...{ plan: this.#plan, tally, sweep, survivors, badPieces },
      ...{ kills: cluster.kills, restarts: cluster.restarts, limitSwitches: cluster.limitSwitches },
      origin: { bytes: origin.bytes, requests: origin.requests, faults: origin.faults },
      failures: [
        ...this.#failures,
        ...accused,
        ...violations,
        ...(await this.#downloader.leftovers()),
        ...grown,
        ...wasteful,
        ...ended,
      ],
    };
  }

  #newDownloader(): Downloader {
    const { cluster, origin } = this.#surroundings;
    return new Downloader(this.#outputs, cluster.socketPaths, ({ file }) => origin.url(file));
  }
}

/** Only the liar lies. */
async function countBadPieces(cluster: SoakCluster): Promise<{ badPieces: number; accused: string[] }> {
  const accused: string[] = [];
  let badPieces = 0;
  for (const daemon of cluster.daemons)
    for (const sample of await daemon.metrics()) {
      if (!sample.startsWith('dfpeer_download_bad_pieces_total{')) continue;
      if (sample.includes(`host="127.0.0.1-${LIAR_NAME}`)) badPieces += Number(sample.split(' ').at(-1));
      else accused.push(`an honest peer is said to lie: ${sample}`);
    }
  return { badPieces, accused };
}

type DownloadTallyOrder = SoakPlan['workers'][number];

function describe(event: SoakPlan['events'][number]): string {
  if (event.kind === 'origin') return `the origin fails ${Math.round(event.faultRate * 100)} % of requests`;
  if (event.kind === 'liar') return 'the liar comes back under another name';
  if (event.kind === 'limit')
    return `daemon ${event.daemon} uploads at ${event.bytesPerSecond ?? 'any number of'} bytes a second by ${event.route}`;
  return `daemon ${event.daemon} gets ${event.kind === 'kill' ? 'SIGKILL' : 'SIGTERM'}, back after ${event.downMs} ms`;
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
