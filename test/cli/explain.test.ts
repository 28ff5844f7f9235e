import assert from 'node:assert/strict';
import type { DownloadResult } from '../../src/cli/download-client.js';
import { explain } from '../../src/cli/explain.js';
import { hostOfPeer, SourceLedger } from '../../src/cli/source-ledger.js';

const MIB = 1024 * 1024;
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';

function resultOf(over: Partial<DownloadResult>): DownloadResult {
  return {
    taskId: 'f'.repeat(64),
    peerId: 'p',
    contentLength: 10 * MIB,
    wantedBytes: 10 * MIB,
    bytes: 10 * MIB,
    bytesBySource: { origin: 2 * MIB, peers: 8 * MIB, local: 0 },
    outputBytes: 10 * MIB,
    outputMethod: 'reflink',
    shares: [],
    story: { carried: [] },
    firstPieceMs: undefined,
    ...over,
  };
}

describe('--explain', () => {
  it('adds up the peers of a host, and names the slowest parent', () => {
    const ledger = new SourceLedger();
    const piece = (parentId: string | undefined, costMs: number): void =>
      ledger.add({ parentId, length: 2 * MIB, costMs });
    piece(`10.0.0.1-a-${UUID}`, 10);
    piece(`10.0.0.1-a-${UUID.replace('0', '1')}`, 10);
    piece(`10.0.0.2-b-${UUID}-seed`, 2000);
    piece(`10.0.0.2-b-${UUID}-seed`, 2000);
    piece(undefined, 1000);
    const lines = explain(
      resultOf({
        shares: ledger.shares(),
        story: { originReason: 'no parent is left', firstByteMs: 4.4, carried: [] },
      }),
    );
    assert.deepEqual(lines, [
      `task ${'f'.repeat(64)}`,
      'bytes: peers 8.0 MiB (80%), origin 2.0 MiB (20%), local 0 B (0%)',
      '  10.0.0.2-b-seed: 4.0 MiB in 2 pieces, 1.0 MiB/s a piece, the slowest parent',
      '  10.0.0.1-a: 4.0 MiB in 2 pieces, 200.0 MiB/s a piece',
      '  origin: 2.0 MiB in 1 piece, 2.0 MiB/s a piece',
      'why the origin: no parent is left',
      'first byte: after 4 ms',
      'output: a reflink of the stored file: no byte was copied',
    ]);
  });

  it('tells how the bytes left each parent, as far as it is known', () => {
    const ledger = new SourceLedger();
    const [one, other, third] = ['a', 'b', 'c'].map((name) => `10.0.0.1-${name}-${UUID}`);
    for (const parentId of [one, other, third]) ledger.add({ parentId, length: 2 * MIB, costMs: 0 });
    const carried = [
      { parentId: one ?? '', protocol: 'http', route: 'sendfile', reason: 'unthrottled', bytes: MIB },
      { parentId: one ?? '', protocol: 'http', route: 'copy', reason: 'limited', bytes: MIB },
      { parentId: other ?? '', protocol: 'vortex', bytes: 2 * MIB },
    ];
    const result = resultOf({ bytes: 6 * MIB, shares: ledger.shares(), story: { carried } });
    assert.deepEqual(explain(result).slice(2, 7), [
      '  10.0.0.1-a: 2.0 MiB in 1 piece',
      '    over http, sendfile (unthrottled) 1.0 MiB; http, copy (limited) 1.0 MiB',
      '  10.0.0.1-b: 2.0 MiB in 1 piece',
      '    over vortex, route not told',
      '  10.0.0.1-c: 2.0 MiB in 1 piece',
    ]);
  });

  it('says what it can when the daemon tells nothing beyond the pieces', () => {
    const lines = explain(resultOf({ outputMethod: undefined, firstPieceMs: 12.3 }));
    assert.deepEqual(lines.slice(2), [
      'why the origin: the daemon does not say',
      'first piece: after 12 ms, checked and stored',
      'output: the daemon does not say how it was made',
    ]);
  });

  it('takes the host out of any peer id', () => {
    assert.equal(hostOfPeer(`10.0.0.1-my-host-${UUID}`), '10.0.0.1-my-host');
    assert.equal(hostOfPeer(`::1-h-${UUID}-seed`), '::1-h-seed');
    assert.equal(hostOfPeer('anything'), 'anything');
  });
});
