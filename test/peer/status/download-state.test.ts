import assert from 'node:assert/strict';
import type { LiveFetch } from '../../../src/peer/status/watched-fetcher.js';
import { viewDownload } from '../../../src/peer/status/download-state.js';
import type { StoredTask } from '../../../src/peer/store/stored-task.js';

const PIECE = 100;

/** Of 1,000 bytes, or of a length that nobody knows; with the pieces given. */
function taskWith(pieces: number[], { hasLength = true } = {}): StoredTask {
  const piece = (number: number): object | undefined => (pieces.includes(number) ? { length: PIECE } : undefined);
  const layout = hasLength ? { contentLength: 1000 } : undefined;
  return { layout, storedBytes: pieces.length * PIECE, record: { pieceLength: PIECE }, piece } as unknown as StoredTask;
}

function fetchOf(over: Partial<LiveFetch>): LiveFetch {
  const where = { taskId: 't', address: 'a', protocol: 'http', offset: 0, length: PIECE } as const;
  return { id: 1, route: 'parent', ...where, bytes: 0, sinceMs: 0, ...over };
}

describe('how far a download is', () => {
  it('counts what is stored, and what is on its way by where it comes from', () => {
    const fetches = [
      fetchOf({ offset: 200, bytes: 30 }),
      fetchOf({ offset: 300, bytes: 50 }),
      fetchOf({ route: 'origin', offset: 400, bytes: 7 }),
    ];
    assert.deepEqual(viewDownload(taskWith([0, 1]), fetches), {
      contentLength: 1000,
      storedBytes: 200,
      arrivingFromPeers: 80,
      arrivingFromOrigin: 7,
    });
  });

  it('counts a piece once that two are asked for', () => {
    const raced = [fetchOf({ offset: 100, bytes: 10 }), fetchOf({ route: 'origin', offset: 100, bytes: 60 })];
    for (const fetches of [raced, raced.toReversed()]) {
      const { arrivingFromPeers, arrivingFromOrigin } = viewDownload(taskWith([]), fetches);
      assert.deepEqual([arrivingFromPeers, arrivingFromOrigin], [0, 60]);
    }
  });

  it('counts of a stream only what is not stored yet', () => {
    const stream = fetchOf({ route: 'origin', length: undefined, bytes: 350 });
    const state = viewDownload(taskWith([0, 1, 2], { hasLength: false }), [stream]);
    assert.deepEqual(state, { storedBytes: 300, arrivingFromPeers: 0, arrivingFromOrigin: 50 });
    const resumed = fetchOf({ route: 'origin', offset: 200, length: undefined, bytes: 150 });
    assert.equal(viewDownload(taskWith([0, 1, 2]), [resumed]).arrivingFromOrigin, 50);
  });
});
