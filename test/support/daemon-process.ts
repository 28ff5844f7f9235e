import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { DAEMON_NODE_OPTIONS } from '../../src/cli/daemon-node-options.js';
import { mergeConfig, type Config } from './config.js';
import { scrape, sumSamples } from './metrics.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const DFDAEMON = join(ROOT, 'bin', 'dfdaemon');
export const DFGET = join(ROOT, 'bin', 'dfget');
const READY_TIMEOUT_MS = 60_000;

export interface DaemonPorts {
  grpc: number;
  http: number;
  vortex: number;
  metrics: number;
  health: number;
  statusPage?: number;
  scheduler?: number;
}

/** A real dfdaemon in a process of its own, all ports chosen by the system. */
export class DaemonProcess {
  readonly directory: string;
  readonly #command: string[];
  #child: ChildProcess | undefined;
  #ports: DaemonPorts | undefined;
  readonly output: string[] = [];

  private constructor(directory: string, command: string[]) {
    this.directory = directory;
    this.#command = command;
  }

  /** `config` is merged over one that keeps everything below `directory` and on loopback. */
  static async start(
    directory: string,
    config: Config = {},
    options: { wrap?: string[]; args?: string[] } = {},
  ): Promise<DaemonProcess> {
    await mkdir(directory, { recursive: true });
    const daemon = new DaemonProcess(directory, [
      ...(options.wrap ?? []),
      process.execPath,
      ...DAEMON_NODE_OPTIONS,
      DFDAEMON,
      '-c',
      join(directory, 'dfdaemon.yaml'),
      '--console',
      ...(options.args ?? []),
    ]);
    await daemon.writeConfig(config);
    await daemon.restart();
    return daemon;
  }

  async writeConfig(config: Config): Promise<void> {
    const server = { ip: '127.0.0.1', port: 0 };
    const base: Config = {
      host: { ip: '127.0.0.1', hostname: `host-${Math.random().toString(36).slice(2, 8)}` },
      download: { server: { socketPath: this.socketPath } },
      upload: { server },
      storage: { dir: join(this.directory, 'store'), server: { ip: '127.0.0.1', tcpPort: 0, httpPort: 0 } },
      scheduler: { embedded: { enable: true, ip: '127.0.0.1', port: 0 } },
      metrics: { server },
      health: { server },
      statusPage: { port: 0 },
    };
    await writeFile(join(this.directory, 'dfdaemon.yaml'), stringify(mergeConfig(base, config)));
  }

  get socketPath(): string {
    return join(this.directory, 'dfdaemon.sock');
  }

  get ports(): DaemonPorts {
    if (this.#ports === undefined) throw new Error('the daemon is not ready');
    return this.#ports;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the daemon is not running');
    return pid;
  }

  /** Starts the same daemon (again); resolves when it says that it is ready. */
  async restart(): Promise<void> {
    const [program = '', ...args] = this.#command;
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: this.directory,
      env: { ...process.env, DFPEER_HOME: this.directory },
    });
    this.#child = child;
    this.#ports = undefined;
    const ready = new Promise<DaemonPorts>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`dfdaemon is not ready:\n${this.output.join('\n')}`)),
        READY_TIMEOUT_MS,
      );
      const take = (line: string): void => {
        this.output.push(line);
        const ports = readyPorts(line);
        if (ports === undefined) return;
        clearTimeout(timer);
        resolve(ports);
      };
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', take);
      child.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`dfdaemon ended with ${code ?? 'a signal'}:\n${this.output.join('\n')}`));
      });
    });
    this.#ports = await ready;
  }

  /** Resolves with the exit code, or the signal's name. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const ended = this.ended();
    if (this.#child?.exitCode === null) this.#child.kill(signal);
    return ended;
  }

  /** The same, of one that ends for another reason. */
  async ended(): Promise<number | string> {
    const child = this.#child;
    if (child === undefined) return 0;
    const ended = child.exitCode ?? child.signalCode;
    if (ended !== null) return ended;
    // Not `exit`: that may come before the last lines of the output.
    const closed = once(child, 'close');
    const [code, signalCode] = (await closed) as [number | null, string | null];
    return code ?? signalCode ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** One sample a line, comments left out. */
  async metrics(): Promise<string[]> {
    return scrape(`http://127.0.0.1:${this.ports.metrics}/metrics`);
  }

  /** The sum of all samples of a metric whose labels include the given ones. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    return sumSamples(await this.metrics(), name, labels);
  }

  /** A command of dfdaemon's, with this daemon's configuration. */
  dfdaemon(command: string, ...args: string[]): Promise<ProcessResult> {
    const config = ['-c', join(this.directory, 'dfdaemon.yaml')];
    return run(process.execPath, [DFDAEMON, command, ...config, ...args], { DFPEER_HOME: this.directory });
  }

  dfget(...args: string[]): Promise<ProcessResult> {
    return dfget(['--endpoint', this.socketPath, ...args]);
  }
}

export interface ProcessResult {
  code: number;
  stdout: string;
  stderr: string;
}

export async function dfget(args: string[], env: NodeJS.ProcessEnv = {}): Promise<ProcessResult> {
  return run(process.execPath, [DFGET, ...args], env);
}

export async function run(program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<ProcessResult> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

function readyPorts(line: string): DaemonPorts | undefined {
  if (!line.startsWith('{')) return undefined;
  const entry = JSON.parse(line) as { msg?: string; ports?: DaemonPorts };
  return entry.msg === 'ready' ? entry.ports : undefined;
}
