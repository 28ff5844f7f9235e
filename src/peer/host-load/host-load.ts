import { readFile, statfs } from 'node:fs/promises';
import * as os from 'node:os';
import { type Clock, systemClock } from '../../core/clock.js';
import { networkInterfaces, residentBytes } from '../../core/kernel-facts.js';
import {
  parseInterfaceSpeed,
  parseMemInfo,
  parseNetDev,
  parsePhysicalCores,
  parseTcpInUse,
  type InterfaceCounters,
} from './proc-files.js';
import type { HostLoad } from '../../scheduler-client/index.js';

/** Assumed where neither the interface's speed nor a limit is known: 10 Gbit/s. */
export const DEFAULT_BANDWIDTH_BITS_PER_SECOND = 10_000_000_000;

/** Several schedulers are told at the same time: samples closer than this are one, rates over less are noise. */
export const MIN_SAMPLE_GAP_MS = 1000;

export interface HostLoadOptions {
  /** The announced address: its interface is the one measured. All but loopback together when none has it. */
  ip: string;
  /** Where pieces are stored; its file system is the one measured. */
  dataDirectory: string;
  /** Bytes per second; undefined when unlimited. Asked at each sample: limits can be reloaded. */
  uploadLimit?: () => number | undefined;
  downloadLimit?: () => number | undefined;
  /** Connections that are being served. */
  uploadConnections?: () => number;
  clock?: Clock;
  /** Reads a file of /proc or /sys; rejects where there is none. */
  readText?: (path: string) => Promise<string>;
}

interface Reading {
  atMs: number;
  logicalCount: number;
  busyMs: number;
  totalMs: number;
  processMs: number;
  rxBytes: number;
  txBytes: number;
}

/** Load of this host: levels as they are, rates as the mean since the previous sample. Never rejects: what can't be read is 0. */
export class HostLoadSampler {
  readonly #options: HostLoadOptions;
  readonly #clock: Clock;
  readonly #readText: (path: string) => Promise<string>;
  #previous: Reading | undefined;
  /** Doesn't change while we run. */
  #physicalCores: Promise<number | undefined> | undefined;
  #latest: { atMs: number; load: Promise<HostLoad> } | undefined;

  constructor(options: HostLoadOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#readText = options.readText ?? ((path) => readFile(path, 'latin1'));
  }

  sample(): Promise<HostLoad> {
    const atMs = this.#clock.monotonicMs();
    if (this.#latest === undefined || atMs - this.#latest.atMs >= MIN_SAMPLE_GAP_MS)
      this.#latest = { atMs, load: this.#sample() };
    return this.#latest.load;
  }

  async #sample(): Promise<HostLoad> {
    const [interfaces, memory, disk, physicalCount, tcpConnectionCount] = await Promise.all([
      this.#interfaces(),
      this.#memory(),
      this.#disk(),
      (this.#physicalCores ??= this.#readPhysicalCores()),
      this.#tcpConnections(),
    ]);
    const now = this.#read(interfaces);
    const before = this.#previous ?? now;
    this.#previous = now;
    const logicalCount = Math.max(1, now.logicalCount);
    const seconds = (now.atMs - before.atMs) / 1000;
    const bitsPerSecond = (bytes: number): number => (seconds > 0 ? Math.max(0, bytes * 8) / seconds : 0);
    return {
      cpu: {
        logicalCount,
        physicalCount: physicalCount ?? logicalCount,
        percent: share(now.busyMs - before.busyMs, now.totalMs - before.totalMs),
        processPercent: share(now.processMs - before.processMs, seconds * 1000 * logicalCount),
      },
      memory,
      network: {
        ...(await this.#limits(interfaces)),
        rxBitsPerSecond: bitsPerSecond(now.rxBytes - before.rxBytes),
        txBitsPerSecond: bitsPerSecond(now.txBytes - before.txBytes),
        tcpConnectionCount,
        uploadTcpConnectionCount: this.#options.uploadConnections?.() ?? 0,
      },
      disk,
    };
  }

  #read(interfaces: readonly InterfaceCounters[]): Reading {
    const times = os.cpus().map((cpu) => cpu.times);
    const totalMs = times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.irq + time.idle, 0);
    const idleMs = times.reduce((sum, time) => sum + time.idle, 0);
    const process_ = process.cpuUsage();
    return {
      atMs: this.#clock.monotonicMs(),
      logicalCount: times.length,
      busyMs: totalMs - idleMs,
      totalMs,
      processMs: (process_.user + process_.system) / 1000,
      rxBytes: interfaces.reduce((sum, each) => sum + each.rxBytes, 0),
      txBytes: interfaces.reduce((sum, each) => sum + each.txBytes, 0),
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
  ): Promise<Pick<HostLoad['network'], 'maxRxBitsPerSecond' | 'maxTxBitsPerSecond'>> {
    const texts = await Promise.all(interfaces.map((each) => this.#text(`/sys/class/net/${each.name}/speed`)));
    const speeds = texts.map(parseInterfaceSpeed).filter((speed) => speed !== undefined);
    const speed = speeds.length > 0 ? Math.max(...speeds) : undefined;
    return {
      maxRxBitsPerSecond: maxBandwidth(speed, this.#options.downloadLimit?.()),
      maxTxBitsPerSecond: maxBandwidth(speed, this.#options.uploadLimit?.()),
    };
  }

  async #memory(): Promise<HostLoad['memory']> {
    const info = parseMemInfo(await this.#text('/proc/meminfo'));
    const total = info.get('MemTotal') ?? os.totalmem();
    const free = info.get('MemFree') ?? os.freemem();
    const available = info.get('MemAvailable') ?? free;
    const used = Math.max(0, total - available);
    const processUsedPercent = share(residentBytes() ?? 0, total);
    return { total, available, used, free, usedPercent: share(used, total), processUsedPercent };
  }

  async #disk(): Promise<HostLoad['disk']> {
    const stats = await statfs(this.#options.dataDirectory).catch(() => undefined);
    const { bsize = 0, blocks = 0, bfree = 0, bavail = 0, files = 0, ffree = 0 } = stats ?? {};
    const [used, inodesUsed] = [(blocks - bfree) * bsize, files - ffree];
    return {
      total: blocks * bsize,
      free: bavail * bsize,
      used,
      usedPercent: share(used, blocks * bsize),
      inodesTotal: files,
      inodesUsed,
      inodesFree: ffree,
      inodesUsedPercent: share(inodesUsed, files),
    };
  }

  async #readPhysicalCores(): Promise<number | undefined> {
    return parsePhysicalCores(await this.#text('/proc/cpuinfo'));
  }

  async #tcpConnections(): Promise<number> {
    const texts = await Promise.all(['/proc/net/sockstat', '/proc/net/sockstat6'].map((path) => this.#text(path)));
    return texts.reduce((sum, text) => sum + parseTcpInUse(text), 0);
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

/** Percent, 0..100. */
function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.max(0, (part / whole) * 100)) : 0;
}
