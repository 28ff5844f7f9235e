import assert from 'node:assert/strict';
import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { computeTaskId } from '../../../src/core/task-id.js';
import type { SyncPiecesRequest__Output } from '../../../src/generated/dfdaemon/v2/SyncPiecesRequest.js';
import type { SyncPiecesResponse } from '../../../src/generated/dfdaemon/v2/SyncPiecesResponse.js';
import { MAX_AWAITED_PIECES, syncPieces, type SyncPiecesDependencies } from '../../../src/peer/grpc/sync-pieces.js';
import { OfferPacing } from '../../../src/peer/swarm/offer-pacing.js';

const taskId = computeTaskId({ url: 'http://example.com/' });

/** A task of unknown length that is being downloaded and gets no piece. */
const task = {
  ...{ taskId, record: {}, layout: undefined, downloading: true, complete: false },
  piece: () => undefined,
  subscribe: () => () => undefined,
};

describe('children that wait for pieces', () => {
  it('wait for a bounded number of them, all together, and are forgotten when they leave', async () => {
    const awaited = { count: MAX_AWAITED_PIECES - 3 };
    const pacing = new OfferPacing();
    const dependencies = {
      store: { settled: () => Promise.resolve(task) },
      ...{ pacing, awaited },
      address: () => ({ ip: '127.0.0.1', httpPort: 4007, tcpPort: 4005 }),
    } as unknown as SyncPiecesDependencies;
    const call = {
      ...{ metadata: new Metadata(), sendMetadata: () => undefined, getPeer: () => '127.0.0.1:1' },
    } as unknown as ServerWritableStream<SyncPiecesRequest__Output, SyncPiecesResponse>;
    const leaving = new AbortController();
    const join = (interestedPieceNumbers: number[]): Promise<void> => {
      const request = { hostId: 'child', taskId, interestedPieceNumbers };
      return syncPieces(dependencies, request, () => Promise.resolve(), call, leaving.signal);
    };
    const waiting = join([1, 2, 2]);
    await assert.rejects(join([1, 2]), { code: 'DFP_LIMIT' });
    const another = join([7]);
    await new Promise(setImmediate);
    assert.equal(pacing.hasChild(taskId, '127.0.0.1'), true);
    leaving.abort();
    await Promise.all([waiting, another]);
    assert.equal(awaited.count, MAX_AWAITED_PIECES - 3);
    assert.equal(pacing.hasChild(taskId, '127.0.0.1'), false);
  });
});
