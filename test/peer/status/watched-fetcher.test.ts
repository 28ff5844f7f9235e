import assert from 'node:assert/strict';
import { AbortedError, DfpeerError } from '../../../src/core/errors.js';
import type { ParentPiece, ParentPieceRequest, PieceFetcher } from '../../../src/peer/fetch/piece-fetcher.js';
import { HostLedger } from '../../../src/peer/status/host-ledger.js';
import { WatchedFetcher } from '../../../src/peer/status/watched-fetcher.js';
import { parseTaskId } from '../../../src/core/task-id.js';
import { ManualClock } from '../../support/manual-clock.js';

const TASK = parseTaskId('a'.repeat(64));
const SLICE = { number: 2, offset: 200, length: 100 };
const BLOCKS = { blockLength: 10, onBlock: (): void => undefined };

describe('a watched fetcher', () => {
  const clock = new ManualClock();
  let ledger: HostLedger;
  let settle: { resolve(piece: ParentPiece): void; reject(error: Error): void };
  let seen: ParentPieceRequest;
  let fetcher: WatchedFetcher;

  beforeEach(() => {
    ledger = new HostLedger(clock);
    const inner: Pick<PieceFetcher, 'fromParent'> = {
      fromParent: (request) => {
        seen = request;
        return new Promise((resolve, reject) => (settle = { resolve, reject }));
      },
    };
    fetcher = new WatchedFetcher(inner as PieceFetcher, ledger, clock);
  });

  function fetchPiece(signal = new AbortController().signal, onProgress = (): void => undefined): Promise<ParentPiece> {
    return fetcher.fromParent({
      endpoint: { protocol: 'vortex', host: '10.0.0.9', port: 1 },
      ...{ taskId: TASK, childPeerId: 'me', slice: SLICE, path: `/store/${TASK}`, signal, onProgress },
      ...{ idleTimeoutMs: 1, timeoutMs: 1, blocks: BLOCKS, blocksWish: 'always' },
    });
  }

  it('tells what is under way and how far it is, and lets progress through', async () => {
    let told = 0;
    const piece = fetchPiece(undefined, () => told++);
    assert.deepEqual([seen.blocks, seen.blocksWish], [BLOCKS, 'always'], 'blocks are told past it');
    seen.onProgress?.(30);
    seen.onProgress?.(70);
    const [live] = fetcher.list();
    assert.deepEqual(
      [live?.route, live?.taskId, live?.address, live?.protocol],
      ['parent', TASK, '10.0.0.9', 'vortex'],
    );
    assert.deepEqual([live?.offset, live?.length, live?.bytes, told], [200, 100, 70, 2]);
    assert.equal(ledger.list()[0]?.downloads.bytes, 70);
    settle.resolve({ slice: SLICE, digest: 'crc32:1', costMs: 1, toldRoute: undefined });
    await piece;
    assert.deepEqual([fetcher.list(), fetcher.receivedBytes], [[], { parent: 100, origin: 0 }]);
  });

  it('knows a bad piece from one that did not come, and from one that nobody wants any more', async () => {
    const controller = new AbortController();
    const endings: [Error, (() => void)?][] = [
      [new DfpeerError('DFP_PIECE_DIGEST', 'other bytes')],
      [new DfpeerError('DFP_STALLED', 'nothing came')],
      [new AbortedError('it'), () => controller.abort()],
    ];
    for (const [error, before] of endings) {
      const piece = fetchPiece(controller.signal);
      before?.();
      settle.reject(error);
      await assert.rejects(piece, error);
    }
    const [host] = ledger.list();
    assert.deepEqual([host?.badPieces, host?.downloads.failed, host?.downloads.running], [1, 2, 0]);
  });
});
