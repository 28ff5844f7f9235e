import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { run, type ProcessResult } from '../../support/daemon-process.js';
import { mergeConfig, type Config } from '../../support/config.js';
import { scrape, sumSamples } from '../../support/metrics.js';
import { until } from '../../support/until.js';
import type { Host } from './network.js';
import { Program } from './program.js';
import { programPath } from './programs.js';

/** Whose programs. */
export type Maker = 'dfpeer' | 'dragonfly';

const BIN = fileURLToPath(new URL('../../../../bin', import.meta.url));

/** The default ports: every peer has a host of its own. */
const PORTS = { upload: 4000, proxy: 4001, metrics: 4002, health: 4003, stats: 4004, vortex: 4005, quic: 4006 };

export interface PeerOptions {
  name: string;
  maker: Maker;
  host: Host;
  directory: string;
  /** A dynconfig file; without one, `config` says where the schedulers are. */
  dynconfig: string | undefined;
  /** Merged over the common configuration. */
  config?: Config;
}

/** A daemon of either maker, started from the same dfdaemon.yaml. */
export class Peer {
  readonly name: string;
  readonly maker: Maker;
  readonly host: Host;
  readonly directory: string;
  readonly program: Program;
  readonly #config: Config;

  constructor(options: PeerOptions) {
    const { name, maker, host, directory, dynconfig } = options;
    this.name = name;
    this.maker = maker;
    this.host = host;
    this.directory = directory;
    this.#config = mergeConfig(commonConfig(options), options.config ?? {});
    const file = join(directory, 'dfdaemon.yaml');
    const args = ['--config', file, '--log-dir', join(directory, 'log'), '--log-level', 'info', '--console'];
    this.program = new Program({
      name,
      host,
      command: [...daemonCommand(maker), ...args, ...(dynconfig === undefined ? [] : ['--dynconfig', dynconfig])],
      logFile: join(directory, 'output.log'),
      ports: [PORTS.upload, PORTS.metrics, PORTS.vortex],
      socketPath: join(directory, 'dfdaemon.sock'),
    });
  }

  get socketPath(): string {
    return join(this.directory, 'dfdaemon.sock');
  }

  /** Resolves when the daemon takes downloads and its scheduler knows of it. */
  async start(): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await writeFile(join(this.directory, 'dfdaemon.yaml'), stringify(this.#config));
    await this.program.start();
    // Dragonfly's daemon announces itself before it listens; ours says when it has.
    if (this.maker === 'dfpeer')
      await until(`${this.name} to be ready`, async () => (await this.program.output()).includes('"msg":"ready"'));
  }

  /** The sum of the samples whose labels include the given ones. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    return sumSamples(await this.#samples(), name, labels);
  }

  /** Bytes by where they came from, and bytes given to others: both daemons count them under the same names. */
  async traffic(): Promise<Traffic> {
    const samples = await this.#samples();
    return {
      fromOrigin: sumSamples(samples, 'dragonfly_client_download_traffic', { type: 'BACK_TO_SOURCE' }),
      fromPeers: sumSamples(samples, 'dragonfly_client_download_traffic', { type: 'REMOTE_PEER' }),
      uploaded: sumSamples(samples, 'dragonfly_client_upload_traffic', {}),
    };
  }

  /** Resolves when ours has told a scheduler of what it holds. */
  async untilStoredTasksAreAnnounced(): Promise<void> {
    await until(`${this.name} to announce its tasks`, async () =>
      (await this.program.output()).includes('complete tasks were announced'),
    );
  }

  /** Resolves when the first byte of any download has arrived. */
  async untilDownloading(): Promise<void> {
    await until(`${this.name} to receive something`, async () => {
      const { fromOrigin, fromPeers } = await this.traffic();
      return fromOrigin + fromPeers > 0;
    });
  }

  /** `client` asks this daemon, through its socket. */
  async dfget(client: Maker, ...args: string[]): Promise<ProcessResult> {
    const command = client === 'dfpeer' ? [process.execPath, join(BIN, 'dfget')] : [programPath('dfget')];
    const [program = '', ...rest] = [...this.host.inside, ...command, '--endpoint', this.socketPath, ...args];
    return run(program, rest, { NO_PROXY: '*' });
  }

  async #samples(): Promise<string[]> {
    return scrape(`http://${this.host.ip}:${PORTS.metrics}/metrics`);
  }
}

export interface Traffic {
  fromOrigin: number;
  fromPeers: number;
  uploaded: number;
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function daemonCommand(maker: Maker): string[] {
  return maker === 'dfpeer' ? [process.execPath, join(BIN, 'dfdaemon')] : [programPath('dfdaemon')];
}

function commonConfig({ name, host: { ip }, directory }: PeerOptions): Config {
  return {
    host: { ip, hostname: name },
    server: { pluginDir: join(directory, 'plugins'), cacheDir: join(directory, 'cache') },
    download: { server: { socketPath: join(directory, 'dfdaemon.sock') } },
    upload: { server: { ip, port: PORTS.upload } },
    storage: { dir: join(directory, 'store'), server: { ip, tcpPort: PORTS.vortex, quicPort: PORTS.quic } },
    scheduler: { announceInterval: '10s' },
    dynconfig: { refreshInterval: '2s' },
    proxy: { server: { ip, port: PORTS.proxy } },
    metrics: { server: { ip, port: PORTS.metrics } },
    health: { server: { ip, port: PORTS.health } },
    stats: { server: { ip, port: PORTS.stats } },
  };
}
