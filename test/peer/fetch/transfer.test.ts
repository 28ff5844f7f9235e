import assert from 'node:assert/strict';
import type { FetchedPiece } from '../../../src/peer/fetch/piece-fetcher.js';
import { Transfer } from '../../../src/peer/fetch/transfer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { coded } from './support/fixtures.js';

const PIECE: FetchedPiece = { slice: { number: 0, offset: 0, length: 1 }, digest: 'crc32:0', costMs: 1 };

describe('the deadlines of a transfer', () => {
  let clock: ManualClock;
  let transfer: Transfer;

  function begin(limits: { timeoutMs: number; idleTimeoutMs?: number; metered?: boolean }): void {
    clock = new ManualClock();
    const nothing = (): void => undefined;
    const port = { requestLease: nothing, reportProgress: nothing, deliverPiece: nothing };
    transfer = new Transfer({ waitingFor: 'it', metered: false, reportsProgress: false, port, clock, ...limits });
  }
  const isOver = (code: 'DFP_DEADLINE' | 'DFP_STALLED'): void =>
    assert.throws(() => transfer.throwIfAborted(), coded(code));

  it('begin anew with each piece of a stream', async () => {
    begin({ timeoutMs: 1000 });
    clock.advance(900);
    const delivered = transfer.deliver(PIECE);
    transfer.pieceAccepted();
    await delivered;
    clock.advance(900);
    transfer.throwIfAborted();
    clock.advance(100);
    isOver('DFP_DEADLINE');
  });

  it('stand still while a lease is waited for', async () => {
    begin({ timeoutMs: 1000, idleTimeoutMs: 700, metered: true });
    const permitted = transfer.permitted(1);
    clock.advance(5000);
    transfer.grant(1);
    await permitted;
    clock.advance(650);
    transfer.throwIfAborted();
    clock.advance(50);
    isOver('DFP_STALLED');
  });

  it('count silence from the last byte', () => {
    begin({ timeoutMs: 10_000, idleTimeoutMs: 700 });
    clock.advance(600);
    transfer.received(1);
    clock.advance(699);
    transfer.throwIfAborted();
    clock.advance(1);
    isOver('DFP_STALLED');
  });

  it('count no silence while this process was stopped', () => {
    begin({ timeoutMs: 10_000, idleTimeoutMs: 800 });
    clock.advance(150);
    clock.holdUp(1000);
    transfer.throwIfAborted();
    // As much as was between two looks may count.
    clock.advance(540);
    transfer.throwIfAborted();
    clock.advance(110);
    isOver('DFP_STALLED');
  });

  it('leave no timer behind', () => {
    begin({ timeoutMs: 1000, idleTimeoutMs: 700 });
    transfer.close();
    assert.equal(clock.pendingTimers, 0);
  });
});
