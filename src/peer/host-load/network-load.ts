import { type Clock, systemClock } from '../../core/clock.js';
import { networkInterfaces } from '../../core/kernel-facts.js';
import type { HostLoad } from '../../scheduler-client/index.js';
import { kernelText, type ReadText } from './kernel-text.js';
import { parseInterfaceSpeed, parseNetDev, type InterfaceCounters } from './proc-files.js';
import { RecentSample } from './recent-sample.js';

/** Assumed where neither the interface's speed nor a limit is known: 10 Gbit/s. */
export const DEFAULT_BANDWIDTH_BITS_PER_SECOND = 10_000_000_000;

/** What of the host's load is the line's. */
export type NetworkLoad = Omit<HostLoad['network'], 'tcpConnectionCount' | 'uploadTcpConnectionCount'>;

export interface NetworkLoadOptions {
  /** The announced address: its interface is the one measured. All but loopback together when none has it. */
  ip: string;
  /** Bytes per second; undefined when unlimited. Asked at each sample: limits can be reloaded. */
  uploadLimit?: () => number | undefined;
  downloadLimit?: () => number | undefined;
  clock?: Clock;
  readText?: ReadText;
}

interface Reading {
  atMs: number;
  rxBytes: number;
  txBytes: number;
}

/** Load of this host's line: rates are the mean since the previous sample. Never rejects: what can't be read is 0. */
export class NetworkLoadSampler {
  readonly #options: NetworkLoadOptions;
  readonly #clock: Clock;
  readonly #recent: RecentSample<NetworkLoad>;
  #previous: Reading | undefined;

  constructor(options: NetworkLoadOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#recent = new RecentSample(this.#clock, () => this.#sample());
  }

  sample(): Promise<NetworkLoad> {
    return this.#recent.get();
  }

  async #sample(): Promise<NetworkLoad> {
    const interfaces = await this.#interfaces();
    const now: Reading = {
      atMs: this.#clock.monotonicMs(),
      rxBytes: interfaces.reduce((sum, each) => sum + each.rxBytes, 0),
      txBytes: interfaces.reduce((sum, each) => sum + each.txBytes, 0),
    };
    const before = this.#previous ?? now;
    this.#previous = now;
    const seconds = (now.atMs - before.atMs) / 1000;
    const bitsPerSecond = (bytes: number): number => (seconds > 0 ? Math.max(0, bytes * 8) / seconds : 0);
    return {
      ...(await this.#limits(interfaces)),
      rxBitsPerSecond: bitsPerSecond(now.rxBytes - before.rxBytes),
      txBitsPerSecond: bitsPerSecond(now.txBytes - before.txBytes),
    };
  }

  /** The interface that has our address; else all that lead outside. */
  async #interfaces(): Promise<InterfaceCounters[]> {
    const all = parseNetDev(await this.#text('/proc/net/dev'));
    const ours = Object.entries(networkInterfaces()).find(([, addresses]) =>
      addresses?.some((address) => address.address === this.#options.ip && !address.internal),
    )?.[0];
    const found = all.filter((each) => each.name === ours);
    return found.length > 0 ? found : all.filter((each) => each.name !== 'lo');
  }

  async #limits(
    interfaces: readonly InterfaceCounters[],
  ): Promise<Pick<NetworkLoad, 'maxRxBitsPerSecond' | 'maxTxBitsPerSecond'>> {
    const texts = await Promise.all(interfaces.map((each) => this.#text(`/sys/class/net/${each.name}/speed`)));
    const speeds = texts.map(parseInterfaceSpeed).filter((speed) => speed !== undefined);
    const speed = speeds.length > 0 ? Math.max(...speeds) : undefined;
    return {
      maxRxBitsPerSecond: maxBandwidth(speed, this.#options.downloadLimit?.()),
      maxTxBitsPerSecond: maxBandwidth(speed, this.#options.uploadLimit?.()),
    };
  }

  #text(path: string): Promise<string> {
    return kernelText(path, this.#options.readText);
  }
}

/** min(interface speed, limit) in bits per second, at least 1: a scheduler gives 0 no load score (docs/WIRE.md 1.1). */
export function maxBandwidth(speedBitsPerSecond: number | undefined, limitBytesPerSecond: number | undefined): number {
  const limit = limitBytesPerSecond === undefined ? Infinity : limitBytesPerSecond * 8;
  const bandwidth = Math.min(speedBitsPerSecond ?? Infinity, limit);
  return Number.isFinite(bandwidth) ? Math.max(1, Math.floor(bandwidth)) : DEFAULT_BANDWIDTH_BITS_PER_SECOND;
}
