import assert from 'node:assert/strict';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { mergeConfig, type Config } from '../../support/config.js';
import { downloadTask } from '../../support/download-task.js';
import { Origin } from '../../support/origin.js';
import { Network, type Host } from './network.js';
import { Peer, sha256OfFile, type Maker } from './peer.js';
import { Program } from './program.js';
import { programPath } from './programs.js';

export const SCHEDULER_PORT = 8002;

/** A Dragonfly cluster on a network of its own: an origin, a scheduler, and peers of both makers. */
export class Cluster {
  readonly network: Network;
  readonly directory: string;
  readonly #programs: Program[] = [];
  #origin: Origin | undefined;
  #outputs = 0;

  private constructor(network: Network, directory: string) {
    this.network = network;
    this.directory = directory;
  }

  static async create(): Promise<Cluster> {
    // A short path: Dragonfly's sockets are below it.
    return new Cluster(new Network(), await mkdtemp(join(tmpdir(), 'dfp-')));
  }

  get origin(): Origin {
    assert.ok(this.#origin !== undefined, 'no origin was started');
    return this.#origin;
  }

  /** @param bytes of random content */
  async startOrigin(bytes: number): Promise<Origin> {
    await this.#origin?.close();
    this.#origin = await Origin.start(bytes, {}, this.network.here);
    return this.#origin;
  }

  /** Starts a program that ends with the cluster. */
  async start(program: Program): Promise<Program> {
    this.#programs.push(program);
    await program.start();
    return program;
  }

  /** Dragonfly's scheduler, one a host; `config` is merged in. */
  async startScheduler(host: Host = this.network.addHost(), config: Config = {}): Promise<SchedulerProgram> {
    const directory = join(this.directory, `scheduler-${host.ip}`);
    await mkdir(directory, { recursive: true });
    const file = join(directory, 'scheduler.yaml');
    const server = {
      advertiseIP: host.ip,
      listenIP: '0.0.0.0',
      port: SCHEDULER_PORT,
      logDir: join(directory, 'log'),
      pluginDir: join(directory, 'plugins'),
    };
    await writeFile(file, stringify(mergeConfig({ server, console: true }, config)));
    const program = new Program({
      name: 'scheduler',
      host,
      command: [programPath('scheduler'), '--config', file, '--dynconfig', join(directory, 'dynconfig.yaml')],
      logFile: join(directory, 'output.log'),
      ports: [SCHEDULER_PORT],
    });
    await this.start(program);
    return { program, host, dynconfig: await this.writeDynconfig(host.ip) };
  }

  /** The file that makes daemons of both makers use these schedulers. */
  async writeDynconfig(...ips: string[]): Promise<string> {
    const file = join(this.directory, 'dynconfig.yaml');
    await writeFile(file, stringify({ scheduler: { addrs: ips.map((ip) => `${ip}:${SCHEDULER_PORT}`) } }));
    return file;
  }

  async startPeer(
    maker: Maker,
    name: string,
    options: { dynconfig?: string; config?: Config; host?: Host | undefined } = {},
  ): Promise<Peer> {
    const peer = new Peer({
      name,
      maker,
      host: options.host ?? this.network.addHost(),
      directory: join(this.directory, name),
      dynconfig: options.dynconfig,
      config: options.config ?? {},
    });
    this.#programs.push(peer.program);
    await peer.start();
    return peer;
  }

  /** Has `client` (the daemon's own by default) download the origin's file, and checks what arrived. Resolves with its path. */
  async download(peer: Peer, options: { client?: Maker; flags?: string[]; path?: string } = {}): Promise<string> {
    this.#outputs += 1;
    const output = join(this.directory, `output-${this.#outputs}`);
    const { client = peer.maker, flags = [], path } = options;
    const result = await peer.dfget(client, '--output', output, '--no-progress', ...flags, this.origin.url(path));
    assert.equal(result.code, 0, `${client} dfget at ${peer.name}: ${result.stderr}${result.stdout}`);
    assert.equal(await sha256OfFile(output), this.origin.sha256, `${peer.name} wrote something else`);
    return output;
  }

  /** The same without dfget: one call at the daemon's socket. */
  async downloadByCall(peer: Peer, path?: string): Promise<string> {
    this.#outputs += 1;
    const outputPath = join(this.directory, `output-${this.#outputs}`);
    const { status } = await downloadTask(`unix:${peer.socketPath}`, { url: this.origin.url(path), outputPath });
    assert.equal(status.code, 0, `${peer.name}: ${status.details}`);
    assert.equal(await sha256OfFile(outputPath), this.origin.sha256, `${peer.name} wrote something else`);
    return outputPath;
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.#programs.splice(0).map((program) => program.end('SIGKILL')));
    await this.#origin?.close();
    this.network.close();
    if (process.env.DFPEER_INTEROP_KEEP === undefined) await rm(this.directory, { recursive: true, force: true });
  }
}

export interface SchedulerProgram {
  program: Program;
  host: Host;
  /** A dynconfig file that names it. */
  dynconfig: string;
}
