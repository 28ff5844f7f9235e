import assert from 'node:assert/strict';
import { HostLedger, speedOf } from '../../../src/peer/status/host-ledger.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('the ledger of hosts', () => {
  it('counts what goes which way, and how it ended', () => {
    const ledger = new HostLedger(new ManualClock());
    const transfers = [1, 2, 3, 4].map(() => ledger.begin('10.0.0.1', 'downloads'));
    for (const each of transfers) each.moved(100);
    (['complete', 'failed', 'bad', 'aborted'] as const).forEach((result, index) => transfers[index]?.end(result));
    ledger.begin('10.0.0.1', 'uploads').moved(7);
    const [host] = ledger.list();
    const { bytes, completed, failed, running } = host?.downloads ?? {};
    assert.deepEqual([bytes, completed, failed, running], [400, 1, 2, 0]);
    assert.deepEqual([host?.badPieces, host?.uploads.bytes, host?.uploads.running], [1, 7, 1]);
  });

  for (const direction of ['downloads', 'uploads'] as const)
    it(`takes for the speed of ${direction} what went while one was under way, however many at once`, () => {
      const clock = new ManualClock();
      const ledger = new HostLedger(clock);
      const speed = (): number => speedOf(ledger.list()[0]?.[direction] ?? assert.fail());
      const [first, second] = [ledger.begin('a', direction), ledger.begin('a', direction)];
      clock.advance(1000);
      first.moved(3000);
      first.end('complete');
      clock.advance(1000);
      second.moved(1000);
      assert.equal(speed(), 2000);
      second.end('complete');
      const endedMs = clock.now();
      clock.advance(60_000);
      assert.equal(speed(), 2000);
      assert.equal(ledger.list()[0]?.lastSeenMs, endedMs);
    });

  it('forgets whoever was seen least recently', () => {
    const ledger = new HostLedger(new ManualClock(), 2);
    for (const address of ['a', 'b', 'a', 'c']) ledger.begin(address, 'uploads').end('complete');
    assert.deepEqual(
      ledger.list().map(({ address }) => address),
      ['c', 'a'],
    );
  });
});
