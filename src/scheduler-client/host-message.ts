import { arch, machine, release, type as osType } from 'node:os';
import type { AnnounceHostRequest } from '../generated/scheduler/v2/AnnounceHostRequest.js';
import type { Host } from '../generated/common/v2/Host.js';
import { toDuration } from '../grpc/wire.js';
import type { HostDescription, HostLoad } from './scheduler-client.js';

/** What this program is, for the scheduler's metrics. */
export interface BuildDescription {
  version: string;
  commit?: string | undefined;
}

/** AnnounceHost as a scheduler demands it: cpu present, download_port = port, tx bandwidth above 0 (docs/WIRE.md 1.1). */
export function toAnnounceHostRequest(
  host: HostDescription,
  load: HostLoad,
  build: BuildDescription,
  intervalMs: number,
): AnnounceHostRequest {
  return { host: toHost(host, load, build), interval: toDuration(intervalMs) };
}

function toHost(host: HostDescription, load: HostLoad, build: BuildDescription): Host {
  const system = osType().toLowerCase();
  return {
    id: host.id,
    type: host.type === 'seed' ? 1 : 0,
    hostname: host.hostname,
    ip: host.ip,
    port: host.port,
    downloadPort: host.port,
    os: system,
    platform: system,
    platformFamily: 'unix',
    platformVersion: release(),
    kernelVersion: release(),
    ...toLoadMessages(host, load),
    build: { gitVersion: build.version, gitCommit: build.commit ?? '', platform: `${system}/${machine() || arch()}` },
    schedulerClusterId: host.schedulerClusterId,
    disableShared: host.disableShared,
    proxyPort: host.proxyPort,
    name: host.name,
  };
}

function toLoadMessages(
  { idc, location }: HostDescription,
  { cpu, memory, network, disk }: HostLoad,
): Pick<Host, 'cpu' | 'memory' | 'network' | 'disk'> {
  return {
    cpu: {
      logicalCount: count(cpu.logicalCount),
      physicalCount: count(cpu.physicalCount),
      percent: percent(cpu.percent),
      processPercent: percent(cpu.processPercent),
    },
    memory: {
      total: count(memory.total),
      available: count(memory.available),
      used: count(memory.used),
      usedPercent: percent(memory.usedPercent),
      processUsedPercent: percent(memory.processUsedPercent),
      free: count(memory.free),
    },
    network: {
      tcpConnectionCount: count(network.tcpConnectionCount),
      uploadTcpConnectionCount: count(network.uploadTcpConnectionCount),
      maxRxBandwidth: Math.max(1, count(network.maxRxBitsPerSecond)),
      rxBandwidth: count(network.rxBitsPerSecond),
      maxTxBandwidth: Math.max(1, count(network.maxTxBitsPerSecond)),
      txBandwidth: count(network.txBitsPerSecond),
      ...(idc === undefined || idc === '' ? {} : { idc }),
      ...(location === undefined || location === '' ? {} : { location }),
    },
    disk: {
      total: count(disk.total),
      free: count(disk.free),
      used: count(disk.used),
      usedPercent: percent(disk.usedPercent),
      inodesTotal: count(disk.inodesTotal),
      inodesUsed: count(disk.inodesUsed),
      inodesFree: count(disk.inodesFree),
      inodesUsedPercent: percent(disk.inodesUsedPercent),
    },
  };
}

/** A scheduler refuses the whole announcement over a percentage outside 0..100. */
function percent(value: number): number {
  return Number.isFinite(value) ? Math.min(100, Math.max(0, value)) : 0;
}

function count(value: number): number {
  return Number.isFinite(value) ? Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.floor(value))) : 0;
}
