import assert from 'node:assert/strict';
import { AbortedError } from '../../../src/core/errors.js';
import type { Host } from '../../../src/generated/common/v2/Host.js';
import { syncHost, SYNC_HOST_INTERVAL_MS } from '../../../src/peer/grpc/sync-host.js';
import type { NetworkLoad } from '../../../src/peer/host-load/network-load.js';
import { ManualClock } from '../../support/manual-clock.js';

const LINE = 1_000_000;

/** What a child hears of a parent whose line is as busy as each of `loads` says, one a second, and then as the last. */
async function heard(loads: readonly Partial<NetworkLoad>[]): Promise<Host['network'][]> {
  const clock = new ManualClock();
  const controller = new AbortController();
  const messages: Host['network'][] = [];
  const idle = { maxRxBitsPerSecond: LINE, rxBitsPerSecond: 0, maxTxBitsPerSecond: LINE, txBitsPerSecond: 0 };
  let asked = 0;
  const load = async (): Promise<NetworkLoad> => ({ ...idle, ...loads[Math.min(asked++, loads.length - 1)] });
  const done = syncHost(load, async (message) => void messages.push(message.network), controller.signal, clock);
  while (asked < loads.length) {
    await new Promise(setImmediate);
    if (clock.pendingTimers > 0) clock.advance(SYNC_HOST_INTERVAL_MS);
  }
  await new Promise(setImmediate);
  controller.abort(new AbortedError('the child'));
  await assert.rejects(done, { code: 'DFP_ABORTED' });
  return messages;
}

describe('what a child hears of how busy its parent is', () => {
  it('is told at once, and not again while nothing changes', async () => {
    assert.deepEqual(await heard([{ txBitsPerSecond: 7 }, { txBitsPerSecond: 7 }, { txBitsPerSecond: 7 }]), [
      { maxRxBandwidth: LINE, rxBandwidth: 0, maxTxBandwidth: LINE, txBandwidth: 7 },
    ]);
  });

  it('is told when a twentieth of the line more or less is busy than was told', async () => {
    const busy = [0, 30_000, 49_999, 50_000, 80_000, 0].map((txBitsPerSecond) => ({ txBitsPerSecond }));
    assert.deepEqual(
      (await heard(busy)).map((network) => network?.txBandwidth),
      [0, 50_000, 0],
    );
    assert.deepEqual(
      (await heard([{}, { rxBitsPerSecond: 60_000 }])).map((network) => network?.rxBandwidth),
      [0, 60_000],
    );
  });

  it('is told when another limit applies', async () => {
    const limits = [{}, { maxTxBitsPerSecond: 999_999 }, { maxTxBitsPerSecond: 999_999, maxRxBitsPerSecond: 5 }];
    assert.equal((await heard(limits)).length, 3);
  });
});
