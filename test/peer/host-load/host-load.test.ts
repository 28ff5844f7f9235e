import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { HostLoadSampler } from '../../../src/peer/host-load/host-load.js';
import { DEFAULT_BANDWIDTH_BITS_PER_SECOND, maxBandwidth } from '../../../src/peer/host-load/network-load.js';
import { MIN_SAMPLE_GAP_MS } from '../../../src/peer/host-load/recent-sample.js';
import {
  parseInterfaceSpeed,
  parseMemInfo,
  parseNetDev,
  parsePhysicalCores,
  parseTcpInUse,
} from '../../../src/peer/host-load/proc-files.js';
import { ManualClock } from '../../support/manual-clock.js';

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0
  eth0:5000 50 0 0 0 0 0 0 7000 60 0 0 0 0 0 0
`;

describe("the kernel's text files", () => {
  it('are read as proc(5) describes them', () => {
    assert.deepEqual(parseNetDev(NET_DEV), [
      { name: 'lo', rxBytes: 1000, txBytes: 1000 },
      { name: 'eth0', rxBytes: 5000, txBytes: 7000 },
    ]);
    assert.equal(
      parseMemInfo('MemTotal:       2048 kB\nMemFree:  1 kB\nHugePages_Total:       0\n').get('MemTotal'),
      2 ** 21,
    );
    assert.equal(parseTcpInUse('sockets: used 9\nTCP: inuse 7 orphan 0 tw 0 alloc 9 mem 1\nUDP: inuse 2\n'), 7);
    assert.equal(parseTcpInUse('TCP6: inuse 4\n'), 4);
    const cpu = (core: number): string => `processor : 1\nphysical id\t: 0\ncore id\t\t: ${core}\n`;
    assert.equal(parsePhysicalCores([cpu(0), cpu(0), cpu(1)].join('\n')), 2);
    assert.equal(parsePhysicalCores('model name : ARM\n'), undefined);
    assert.equal(parseInterfaceSpeed('10000\n'), 1e10);
    assert.equal(parseInterfaceSpeed('-1\n'), undefined);
  });

  it('may hold anything without making a parser throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200, size: 'max' }), (text) => {
        for (const parse of [parseNetDev, parseMemInfo, parseTcpInUse, parsePhysicalCores, parseInterfaceSpeed])
          parse(text);
      }),
    );
  });
});

describe('the announced bandwidth', () => {
  it('is the smaller of interface and limit, in bits, and never 0', () => {
    assert.equal(maxBandwidth(1e10, 1e6), 8e6);
    assert.equal(maxBandwidth(1e9, 1e12), 1e9);
    assert.equal(maxBandwidth(undefined, 1e6), 8e6);
    assert.equal(maxBandwidth(1e9, undefined), 1e9);
    assert.equal(maxBandwidth(undefined, undefined), DEFAULT_BANDWIDTH_BITS_PER_SECOND);
    assert.equal(maxBandwidth(1e9, 0), 1);
  });
});

describe('the host load', () => {
  it('of this machine makes an announcement a scheduler accepts', async () => {
    const sampler = new HostLoadSampler({ ip: '127.0.0.1', dataDirectory: tmpdir(), uploadConnections: () => 7 });
    const sample = await sampler.sample();
    assert.ok(sample.cpu.logicalCount >= 1);
    assert.ok(sample.memory.total > sample.memory.used);
    assert.ok(sample.disk.total > 0);
    assert.equal(sample.network.uploadTcpConnectionCount, 7);
    assert.ok(sample.network.maxTxBitsPerSecond > 0);
    for (const percent of [sample.cpu.percent, sample.memory.usedPercent, sample.disk.usedPercent])
      assert.ok(percent >= 0 && percent <= 100);
  });

  it('turns interface counters into bits per second between two samples, loopback left out', async () => {
    const clock = new ManualClock();
    let counters = NET_DEV;
    const files: Record<string, () => string> = {
      '/proc/net/dev': () => counters,
      '/sys/class/net/eth0/speed': () => '1000\n',
    };
    const sampler = new HostLoadSampler({
      ip: '192.0.2.1',
      dataDirectory: tmpdir(),
      clock,
      readText: async (path) => files[path]?.() ?? Promise.reject(new Error('no such file')),
    });
    assert.equal((await sampler.sample()).network.rxBitsPerSecond, 0);
    clock.advance(1000);
    await sampler.sample();
    counters = NET_DEV.replace('5000', '6000').replace('7000', '9000').replaceAll(' 1000 ', ' 999999 ');
    clock.advance(2000);
    const { network } = await sampler.sample();
    assert.equal(network.rxBitsPerSecond, 4000);
    assert.equal(network.txBitsPerSecond, 8000);
    assert.equal(network.maxTxBitsPerSecond, 1e9);
    counters = NET_DEV;
    clock.advance(MIN_SAMPLE_GAP_MS - 1);
    assert.equal((await sampler.sample()).network.rxBitsPerSecond, 4000);
  });

  it('is all zeros but the bandwidth and the CPU count where nothing can be read', async () => {
    const sampler = new HostLoadSampler({
      ip: '192.0.2.1',
      dataDirectory: '/does/not/exist',
      readText: () => Promise.reject(new Error('no such file')),
    });
    const { cpu, network, disk } = await sampler.sample();
    assert.ok(cpu.logicalCount >= 1);
    assert.equal(disk.total, 0);
    assert.equal(network.tcpConnectionCount, 0);
    assert.equal(network.maxTxBitsPerSecond, DEFAULT_BANDWIDTH_BITS_PER_SECOND);
  });
});
