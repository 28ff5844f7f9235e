import { statfs } from 'node:fs/promises';
import * as os from 'node:os';
import { type Clock, systemClock } from '../../core/clock.js';
import { residentBytes } from '../../core/kernel-facts.js';
import { kernelText } from './kernel-text.js';
import { type NetworkLoadOptions, NetworkLoadSampler } from './network-load.js';
import { parseMemInfo, parsePhysicalCores, parseTcpInUse } from './proc-files.js';
import { RecentSample } from './recent-sample.js';
import type { HostLoad } from '../../scheduler-client/index.js';

export interface HostLoadOptions extends NetworkLoadOptions {
  /** Where pieces are stored; its file system is the one measured. */
  dataDirectory: string;
  /** Connections that are being served. */
  uploadConnections?: () => number;
}

interface Reading {
  atMs: number;
  logicalCount: number;
  busyMs: number;
  totalMs: number;
  processMs: number;
}

/** Load of this host: levels as they are, rates as the mean since the previous sample. Never rejects: what can't be read is 0. */
export class HostLoadSampler {
  readonly network: NetworkLoadSampler;
  readonly #options: HostLoadOptions;
  readonly #clock: Clock;
  readonly #recent: RecentSample<HostLoad>;
  #previous: Reading | undefined;
  /** Doesn't change while we run. */
  #physicalCores: Promise<number | undefined> | undefined;

  constructor(options: HostLoadOptions) {
    this.#options = options;
    this.network = new NetworkLoadSampler(options);
    this.#clock = options.clock ?? systemClock;
    this.#recent = new RecentSample(this.#clock, () => this.#sample());
  }

  sample(): Promise<HostLoad> {
    return this.#recent.get();
  }

  async #sample(): Promise<HostLoad> {
    const [network, memory, disk, physicalCount, tcpConnectionCount] = await Promise.all([
      this.network.sample(),
      this.#memory(),
      this.#disk(),
      (this.#physicalCores ??= this.#readPhysicalCores()),
      this.#tcpConnections(),
    ]);
    const now = this.#read();
    const before = this.#previous ?? now;
    this.#previous = now;
    const logicalCount = Math.max(1, now.logicalCount);
    const seconds = (now.atMs - before.atMs) / 1000;
    return {
      cpu: {
        logicalCount,
        physicalCount: physicalCount ?? logicalCount,
        percent: share(now.busyMs - before.busyMs, now.totalMs - before.totalMs),
        processPercent: share(now.processMs - before.processMs, seconds * 1000 * logicalCount),
      },
      memory,
      network: {
        ...network,
        tcpConnectionCount,
        uploadTcpConnectionCount: this.#options.uploadConnections?.() ?? 0,
      },
      disk,
    };
  }

  #read(): Reading {
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

  #text(path: string): Promise<string> {
    return kernelText(path, this.#options.readText);
  }
}

/** Percent, 0..100. */
function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(100, Math.max(0, (part / whole) * 100)) : 0;
}
