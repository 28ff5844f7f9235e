import assert from 'node:assert/strict';
import { DfpeerError } from '../../src/core/errors.js';
import { TrafficType } from '../../src/core/piece.js';
import { MAX_BLOCKED_MS, MAX_QUEUED_REPORTS } from '../../src/scheduler-client/announce-stream.js';
import { ManualClock } from '../support/manual-clock.js';
import type { Script } from './support/scripted-scheduler.js';
import { candidate, normal, offerOneParent, PIECE, useSessions } from './support/session-stage.js';

describe('a peer session that reports', () => {
  const open = useSessions();

  it('reports every piece with cost and creation time', async () => {
    const { scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      for (let count = 0; count < 4; count++) await conversation.next();
      conversation.end();
    });
    await session.register();
    session.started();
    session.pieceFinished({ ...PIECE, costMs: 999.999_999_9, createdAtMs: Number.NaN });
    session.pieceFromSourceFinished(PIECE);
    await session.finish('parents');
    const [, , fromParent, fromSource] = scheduler.messages;
    const first = fromParent?.downloadPieceFinishedRequest?.piece;
    assert.deepEqual(first?.cost, { seconds: 1, nanos: 0 });
    assert.deepEqual(first.createdAt, { seconds: 0, nanos: 0 });
    assert.equal(first.parentId, 'parent');
    const second = fromSource?.downloadPieceBackToSourceFinishedRequest?.piece;
    assert.deepEqual(second?.cost, { seconds: 0, nanos: 1_500_000 });
    assert.equal(second.parentId, undefined);
    assert.equal(second.trafficType, TrafficType.BACK_TO_SOURCE);
  });

  it('reports failures of parents and of the origin, and never one with an empty parent id', async () => {
    const { scheduler, session } = await open(offerOneParent);
    await session.register();
    session.pieceFailed({ pieceNumber: 1, parentPeerId: '', temporary: true });
    session.pieceFailed({ pieceNumber: 2, parentPeerId: 'parent', temporary: true });
    session.pieceFromSourceFailed({ pieceNumber: 3, message: 'refused', status: 403, headers: { server: 'x' } });
    session.pieceFromSourceFailed({ pieceNumber: 4, message: 'no route' });
    await scheduler.until(() => scheduler.messages.length === 4);
    const [, fromParent, refused, unreachable] = scheduler.messages;
    assert.equal(fromParent?.downloadPieceFailedRequest?.pieceNumber, 2);
    assert.deepEqual(refused?.downloadPieceBackToSourceFailedRequest?.backend, {
      message: 'refused',
      header: { server: 'x' },
      statusCode: 403,
      _statusCode: 'statusCode',
    });
    assert.equal(unreachable?.downloadPieceBackToSourceFailedRequest?.unknown?.message, 'no route');
  });

  it('delivers a burst of thousands of reports in order', async () => {
    const { scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      for (let count = 0; count <= 3000; count++) await conversation.next();
      conversation.end();
    });
    await session.register();
    for (let number = 0; number < 3000; number++) session.pieceFinished({ ...PIECE, number });
    await session.finish('parents');
    const numbers = scheduler.messages.flatMap((message) => message.downloadPieceFinishedRequest?.piece?.number ?? []);
    assert.deepEqual(numbers, [...Array(3000).keys()]);
    assert.equal(session.failed.aborted, false);
  });

  describe('with a scheduler that stops reading', () => {
    const deaf: Script = async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      conversation.stream.pause();
    };
    const longReport = { pieceNumber: 1, message: 'x'.repeat(1000), status: 500, headers: { pad: 'y'.repeat(60_000) } };

    it('fails the session when nothing was taken for the bound', async () => {
      const clock = new ManualClock();
      const { session } = await open(deaf, { clock });
      await session.register();
      for (let count = 0; count < 200; count++) session.pieceFromSourceFailed(longReport);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(session.failed.aborted, false);
      clock.advance(MAX_BLOCKED_MS);
      assert.equal((session.failed.reason as DfpeerError).code, 'DFP_STALLED');
    });

    it('fails the session when the queue is full', async () => {
      const { session } = await open(deaf);
      await session.register();
      // The transport takes some before it pushes back.
      for (let count = 0; count < MAX_QUEUED_REPORTS + 100; count++) session.pieceFinished(PIECE);
      assert.equal((session.failed.reason as DfpeerError).code, 'DFP_LIMIT');
    });
  });
});
