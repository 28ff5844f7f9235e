import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../../core/clock.js';
import { networkInterfaces } from '../../core/kernel-facts.js';
import { parseInterfaceSpeed, parseNetDev, type InterfaceCounters } from './proc-files.js';

/** Assumed where neither the interface's speed nor a limit is known: 10 Gbit/s. */
export const DEFAULT_BANDWIDTH_BITS_PER_SECOND = 10_000_000_000;

/** Children and schedulers are told by the same samples: closer ones are one, rates over less are noise. */
export const MIN_SAMPLE_GAP_MS = 500;

export interface NetworkLoad {
  maxRxBitsPerSecond: number;
  rxBitsPerSecond: number;
  maxTxBitsPerSecond: number;
  txBitsPerSecond: number;
}

export interface NetworkLoadOptions {
  /** The announced address: its interface is the one measured. All but loopback together when none has it. */
  ip: string;
  /** Bytes per second; undefined when unlimited. Asked at each sample: limits can be reloaded. */
  uploadLimit?: () => number | undefined;
  downloadLimit?: () => number | undefined;
  clock?: Clock;
  /** Reads a file of /proc or /sys; rejects where there is none. */
  readText?: (path: string) => Promise<string>;
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
  readonly #readText: (path: string) => Promise<string>;
  #previous: Reading | undefined;
  #latest: { atMs: number; load: Promise<NetworkLoad> } | undefined;

  constructor(options: NetworkLoadOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#readText = options.readText ?? ((path) => readFile(path, 'latin1'));
  }

  sample(): Promise<NetworkLoad> {
    const atMs = this.#clock.monotonicMs();
    if (this.#latest === undefined || atMs - this.#latest.atMs >= MIN_SAMPLE_GAP_MS)
      this.#latest = { atMs, load: this.#sample() };
    return this.#latest.load;
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

  /** Empty where there is no such file: another system, or a container that hides it. */
  #text(path: string): Promise<string> {
    return this.#readText(path).catch(() => '');
  }
}

/** min(interface speed, limit) in bits per second, at least 1: a scheduler gives 0 no load score (docs/WIRE.md 1.1). */
export function maxBandwidth(speedBitsPerSecond: number | undefined, limitBytesPerSecond: number | undefined): number {
  const limit = limitBytesPerSecond === undefined ? Infinity : limitBytesPerSecond * 8;
  const bandwidth = Math.min(speedBitsPerSecond ?? Infinity, limit);
  return Number.isFinite(bandwidth) ? Math.max(1, Math.floor(bandwidth)) : DEFAULT_BANDWIDTH_BITS_PER_SECOND;
}
