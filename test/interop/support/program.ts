import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { until } from '../../support/until.js';
import type { Host } from './network.js';

const END_TIMEOUT_MS = 15_000;
/** States of listening sockets in /proc/net/tcp and /proc/net/unix. */
const TCP_LISTEN = '0A';
const UNIX_LISTEN = ' 00010000 ';

export interface ProgramOptions {
  name: string;
  host: Host;
  command: readonly string[];
  logFile: string;
  /** It is ready when it listens on all of these, */
  ports: readonly number[];
  /** and on this one. */
  socketPath?: string;
}

/** A server program on a host of the test network; what it says goes to a file. */
export class Program {
  readonly name: string;
  readonly #host: Host;
  readonly #command: readonly string[];
  readonly #logFile: string;
  readonly #ports: readonly number[];
  readonly #socketPath: string | undefined;
  #child: ChildProcess | undefined;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#host = options.host;
    this.#command = options.command;
    this.#logFile = options.logFile;
    this.#ports = options.ports;
    this.#socketPath = options.socketPath;
  }

  /** Starts it, also again; resolves when it listens. */
  async start(): Promise<void> {
    await mkdir(dirname(this.#logFile), { recursive: true });
    const [program = '', ...args] = [...this.#host.inside, ...this.#command];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() });
    const log = createWriteStream(this.#logFile, { flags: 'a' });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
    child.once('close', () => log.end());
    this.#child = child;
    await until(`${this.name} to listen`, async () => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(
          `${this.name} ended at its start (${child.exitCode ?? child.signalCode ?? ''}):\n${(await this.output()).slice(-4000)}`,
        );
      return this.#isListening(child.pid ?? 0);
    });
  }

  /** Ends it if it runs; one that ignores the signal is killed. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  /** @throws before the start */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} was not started`);
    return this.#child.pid;
  }

  async output(): Promise<string> {
    return readFile(this.#logFile, 'utf8');
  }

  async #isListening(pid: number): Promise<boolean> {
    const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`/proc/${pid}/net/${table}`, 'utf8')));
    const listening = tables
      .flatMap((table) => table.split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state]) => state === TCP_LISTEN)
      .map(([, local = '']) => parseInt(local.slice(local.lastIndexOf(':') + 1), 16));
    return this.#ports.every((port) => listening.includes(port)) && (await this.#listensOnSocket(pid));
  }

  async #listensOnSocket(pid: number): Promise<boolean> {
    const path = this.#socketPath;
    if (path === undefined) return true;
    const table = await readFile(`/proc/${pid}/net/unix`, 'utf8');
    return table.split('\n').some((line) => line.includes(UNIX_LISTEN) && line.endsWith(` ${path}`));
  }
}

/** Ours without what would send a program's requests elsewhere. */
export function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name));
  return { ...Object.fromEntries(kept), NO_PROXY: '*' };
}
