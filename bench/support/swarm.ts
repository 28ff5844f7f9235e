import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FoundDaemon } from '../../src/cli/daemon-connection.js';
import { download } from '../../src/cli/download-client.js';
import { Patience } from '../../src/cli/patience.js';
import { startDragonflyScheduler } from './dragonfly-scheduler.js';
import { DaemonProcess } from '../../test/support/daemon-process.js';
import { linkBytes, type LinkBytes } from './link-meter.js';
import { meterProcessors } from './processor-meter.js';
import { startCountingOrigin } from './counting-origin.js';
import { type ShapedHost, ShapedNetwork } from './shaped-network.js';

/** Who tells the nodes about each other; `none`: everyone fetches from the origin. */
export type SwarmScheduler = 'embedded' | 'dragonfly' | 'none';

export interface SwarmOptions {
  nodes: number;
  scheduler: SwarmScheduler;
  /** Of each link, both ways: the nodes', the origin's and the scheduler's. */
  bitsPerSecond: number;
  /** The origin's file. */
  file: string;
  /** Another one that all nodes download before, as daemons that run for long have; undefined: they start cold. */
  warmUpFile: string | undefined;
  /** For the nodes' files. */
  directory: string;
  /** Between two looks at the links; undefined: none. */
  sampleMs: number | undefined;
}

export interface SwarmResult {
  /** From the common start to each node's end. */
  seconds: number[];
  originBytes: number;
  /** What each node's link carried in the meantime. */
  links: LinkBytes[];
  /** The same between two looks, if any. */
  samples: LinkBytes[][];
  /** Share of the machine's processors that was busy: near 1 they were the limit, not the links. */
  processorsBusy: number;
}

/** Daemons have started all their threads, and Dragonfly's scheduler has heard of every host. */
const SETTLE_MS = 2000;
const OUTPUT = 'output';
const DOWNLOAD_TIMEOUT_MS = 600_000;

/** Daemons on shaped links of their own download one file, all from the same moment on. Needs root. */
export async function runSwarm(options: SwarmOptions): Promise<SwarmResult> {
  const network = new ShapedNetwork(options.bitsPerSecond);
  const daemons: DaemonProcess[] = [];
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const origin = await startCountingOrigin(network.addHost(), options.file);
    stops.push(() => origin.stop());
    const addresses: string[] = [];
    if (options.scheduler === 'dragonfly') {
      const scheduler = await startDragonflyScheduler(network.addHost(), options.directory);
      stops.push(() => scheduler.stop());
      addresses.push(scheduler.address);
    }
    for (let index = 0; index < options.nodes; index++) {
      const host = network.addHost();
      const embeds = options.scheduler === 'embedded' && index === 0;
      const daemon = await startNode(join(options.directory, `node${index}`), host, embeds, addresses);
      daemons.push(daemon);
      if (embeds) addresses.push(`${host.ip}:${daemon.ports.scheduler ?? 0}`);
    }
    await sleep(SETTLE_MS);
    if (options.warmUpFile !== undefined) await warmUp(daemons, network.addHost(), options.warmUpFile);
    return { ...(await downloadAll(daemons, origin.url, options.sampleMs)), originBytes: await origin.stop() };
  } finally {
    await Promise.all([...daemons.map((daemon) => daemon.end()), ...stops.map((stop) => stop())]);
    network.close();
  }
}

function startNode(
  directory: string,
  { ip, inside }: { ip: string; inside: string[] },
  embeds: boolean,
  addrs: readonly string[],
): Promise<DaemonProcess> {
  const config = {
    host: { ip, hostname: directory.slice(directory.lastIndexOf('/') + 1) },
    upload: { server: { ip, port: 0 } },
    storage: { server: { ip } },
    scheduler: embeds ? { embedded: { ip } } : { embedded: { enable: false }, addrs: [...addrs] },
  };
  mkdirSync(directory, { recursive: true });
  return DaemonProcess.start(directory, config, { wrap: inside });
}

async function warmUp(daemons: readonly DaemonProcess[], host: ShapedHost, file: string): Promise<void> {
  const origin = await startCountingOrigin(host, file);
  try {
    await downloadAll(daemons, origin.url, undefined);
    await Promise.all(daemons.map(({ directory }) => rm(join(directory, OUTPUT))));
  } finally {
    await origin.stop();
  }
}

/** As dfget asks its daemon, without the start of so many dfgets on one machine. */
async function downloadAll(
  daemons: readonly DaemonProcess[],
  url: string,
  sampleMs: number | undefined,
): Promise<Omit<SwarmResult, 'originBytes'>> {
  const look = (): LinkBytes[] => daemons.map(({ pid }) => linkBytes(pid));
  const before = look();
  const samples = [before];
  const sampling = sampleMs === undefined ? undefined : setInterval(() => samples.push(look()), sampleMs);
  const readProcessors = meterProcessors();
  const startedAtMs = performance.now();
  const seconds = await Promise.all(
    daemons.map(async ({ socketPath, directory }) => {
      await download(
        new FoundDaemon(socketPath),
        { url, outputPath: join(directory, OUTPUT) },
        {
          patience: new Patience(DOWNLOAD_TIMEOUT_MS),
          signal: new AbortController().signal,
          events: { onProgress: () => undefined },
        },
      );
      return (performance.now() - startedAtMs) / 1000;
    }),
  );
  const processorsBusy = readProcessors();
  clearInterval(sampling);
  const links = look().map(({ sent, received }, index) => ({
    sent: sent - (before[index]?.sent ?? 0),
    received: received - (before[index]?.received ?? 0),
  }));
  return { seconds, links, processorsBusy, samples: sampleMs === undefined ? [] : samples };
}
