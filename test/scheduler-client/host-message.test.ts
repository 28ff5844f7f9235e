import assert from 'node:assert/strict';
import { toAnnounceHostRequest } from '../../src/scheduler-client/host-message.js';
import { host, load } from './support/fixtures.js';

describe('the host announcement', () => {
  it('keeps within what a scheduler accepts, whatever was measured', () => {
    const odd = {
      ...load,
      cpu: { ...load.cpu, percent: Number.NaN },
      memory: { ...load.memory, usedPercent: 140 },
      network: { ...load.network, maxTxBitsPerSecond: 0, rxBitsPerSecond: 1.5 },
    };
    const { host: message } = toAnnounceHostRequest(
      { ...host, type: 'seed', idc: 'dc1', location: '' },
      odd,
      { version: '1' },
      1500,
    );
    assert.equal(message?.type, 1);
    assert.equal(message.downloadPort, message.port);
    assert.equal(message.cpu?.percent, 0);
    assert.equal(message.memory?.usedPercent, 100);
    assert.equal(message.network?.maxTxBandwidth, 1);
    assert.equal(message.network.rxBandwidth, 1);
    assert.equal(message.network.idc, 'dc1');
    assert.equal(message.network.location, undefined);
  });
});
