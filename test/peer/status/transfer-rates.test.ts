import assert from 'node:assert/strict';
import { type TransferCount, TransferRates } from '../../../src/peer/status/transfer-rates.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the rate of a transfer', () => {
  let clock: ManualClock;
  let rates: TransferRates;
  let transfer: TransferCount;

  beforeEach(() => {
    clock = new ManualClock();
    rates = new TransferRates(clock);
    transfer = { id: 1, bytes: 0, sinceMs: clock.now() };
  });

  /** Bytes of so many seconds, a sample after each. */
  function move(bytesPerSecond: number, seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      transfer.bytes += bytesPerSecond;
      rates.sample([transfer]);
    }
  }

  it('is the mean since the start of a young one, sampled or not', () => {
    assert.equal(rates.of(transfer), 0);
    clock.advance(100);
    transfer.bytes = 50;
    assert.equal(rates.of(transfer), 500);
    rates.sample([transfer]);
    clock.advance(100);
    assert.equal(rates.of(transfer), 250);
  });

  it('is that of the last seconds of an old one: nothing of one that has stalled', () => {
    move(1000, 600);
    assert.equal(rates.of(transfer), 1000);
    move(10, 1);
    assert.ok(rates.of(transfer) < 1000);
    move(10, 3);
    assert.equal(rates.of(transfer), 10);
    move(0, 3);
    assert.equal(rates.of(transfer), 0);
  });

  it('goes up as soon as more comes, between two samples', () => {
    move(0, 10);
    clock.advance(500);
    transfer.bytes += 3500;
    assert.equal(rates.of(transfer), 1000);
  });

  it("does not follow the machine's clock when that is set", () => {
    move(1000, 5);
    const setBack = { ...transfer, sinceMs: transfer.sinceMs + 86_400_000 };
    assert.equal(rates.of(setBack), 1000);
    assert.equal(rates.of({ ...setBack, id: 2 }), 0);
  });

  it('is forgotten with the transfer, and each has its own', () => {
    move(1000, 5);
    rates.sample([]);
    assert.equal(rates.of(transfer), 1000, 'the mean since its start');
    const other = { id: 2, bytes: 0, sinceMs: clock.now() };
    rates.sample([transfer, other]);
    clock.advance(1000);
    other.bytes = 7;
    assert.deepEqual([rates.of(transfer), rates.of(other)], [833, 7]);
  });
});
