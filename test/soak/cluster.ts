import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../support/config.js';
import { DaemonProcess } from '../support/daemon-process.js';
import { freePort } from '../support/free-port.js';
import type { LiarOrders } from './lying-peer.js';
import { LyingProgram } from './lying-program.js';
import { DAEMON_COUNT, type SoakEvent } from './plan.js';

type LimitEvent = Extract<SoakEvent, { kind: 'limit' }>;

/** What its hostnames begin with. */
export const LIAR_NAME = 'liar';
/** Small enough that garbage is collected all the time. */
const STORE_BYTES = '220MiB';

/** The daemons, real ones, and the liar among them. */
export class SoakCluster {
  readonly #daemons: DaemonProcess[] = [];
  readonly #schedulerPort: number;
  /** Of each daemon: one thing at a time is done to it. */
  readonly #busy: Promise<void>[] = [];
  #liar: LyingProgram | undefined;
  kills = 0;
  restarts = 0;
  limitSwitches = 0;
  liars = 0;

  private constructor(schedulerPort: number) {
    this.#schedulerPort = schedulerPort;
  }

  static async start(directory: string): Promise<SoakCluster> {
    // The scheduler must come back where it was.
    const cluster = new SoakCluster(await freePort());
    for (let index = 0; index < DAEMON_COUNT; index++) {
      const daemon = await DaemonProcess.start(join(directory, `daemon-${index}`), cluster.#config(index));
      cluster.#daemons.push(daemon);
      cluster.#busy.push(Promise.resolve());
    }
    return cluster;
  }

  get daemons(): readonly DaemonProcess[] {
    return this.#daemons;
  }

  daemon(index: number): DaemonProcess {
    const daemon = this.#daemons[index];
    if (daemon === undefined) throw new Error(`there is no daemon ${index}`);
    return daemon;
  }

  get socketPaths(): string[] {
    return this.#daemons.map(({ socketPath }) => socketPath);
  }

  /** In place of an older one, under a new name. */
  async startLiar(orders: Pick<LiarOrders, 'files' | 'seed'>): Promise<void> {
    this.#liar?.kill();
    const hostname = `${LIAR_NAME}-${this.liars++}`;
    this.#liar = await LyingProgram.start({ ...orders, hostname, scheduler: `127.0.0.1:${this.#schedulerPort}` });
  }

  /** Does to one daemon what the plan says; what was begun before is awaited. */
  async apply(event: Exclude<SoakEvent, { kind: 'origin' | 'liar' }>): Promise<void> {
    const done = (this.#busy[event.daemon] ?? Promise.resolve()).then(() =>
      event.kind === 'limit' ? this.#limit(event) : this.#interrupt(event.daemon, event.kind, event.downMs),
    );
    this.#busy[event.daemon] = done.catch(() => undefined);
    await done;
  }

  async settled(): Promise<void> {
    await Promise.all(this.#busy);
  }

  /** Rejects when a daemon does not end well. */
  async stop(): Promise<string[]> {
    await this.settled();
    this.#liar?.kill();
    const codes = await Promise.all(this.#daemons.map((daemon) => daemon.end()));
    for (const { directory, output } of this.#daemons)
      await writeFile(join(directory, 'output.log'), output.join('\n'));
    return codes.flatMap((code, index) => (code === 0 ? [] : [`daemon ${index} ended with ${code}`]));
  }

  async #interrupt(index: number, kind: 'kill' | 'restart', downMs: number): Promise<void> {
    const daemon = this.daemon(index);
    await daemon.end(kind === 'kill' ? 'SIGKILL' : 'SIGTERM');
    if (kind === 'kill') this.kills++;
    else this.restarts++;
    await new Promise((resolve) => setTimeout(resolve, downMs));
    await daemon.restart();
  }

  async #limit({ daemon: index, bytesPerSecond, route }: LimitEvent): Promise<void> {
    const daemon = this.daemon(index);
    await daemon.writeConfig(this.#config(index, { bytesPerSecond, route }));
    daemon.signal('SIGHUP');
    this.limitSwitches++;
  }

  #config(index: number, limit?: Pick<LimitEvent, 'bytesPerSecond' | 'route'>): Config {
    const addrs = [`127.0.0.1:${this.#schedulerPort}`];
    const embedded = { enable: index === 0, ...(index === 0 ? { port: this.#schedulerPort } : {}) };
    return {
      host: { hostname: `daemon-${index}` },
      scheduler: index === 0 ? { embedded } : { addrs, embedded },
      download: { idleTimeout: '3s', collectedPieceTimeout: '10s' },
      gc: { interval: '3s', policy: { diskThreshold: STORE_BYTES } },
      upload: {
        ...(limit?.bytesPerSecond === undefined ? {} : { bandwidthLimit: `${limit.bytesPerSecond}B` }),
        ...(limit === undefined ? {} : { limitedRoute: limit.route }),
      },
    };
  }
}
