import assert from 'node:assert/strict';
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { AbortedError, DfpeerError } from '../../src/core/errors.js';
import { type AnnouncePeerSession, END_TIMEOUT_MS } from '../../src/scheduler-client/peer-session.js';
import { ManualClock } from '../support/manual-clock.js';
import type { Conversation } from './support/scripted-scheduler.js';
import { candidate, normal, PIECE, type SessionStage, useSessions } from './support/session-stage.js';

describe('a peer session at its end', () => {
  const open = useSessions();

  it('shows a stream that broke in the middle, and its reports do not throw afterwards', async () => {
    let conversation: Conversation | undefined;
    const { session } = await open(async (opened) => {
      await opened.next();
      opened.answer(normal(candidate('parent')));
      conversation = opened;
    });
    await session.register();
    conversation?.fail(status.INVALID_ARGUMENT, 'piece without cost');
    await once(session.failed, 'abort');
    assert.ok(session.failed.reason instanceof DfpeerError);
    assert.equal(session.failed.reason.code, 'DFP_SCHEDULER_REFUSED');
    session.pieceFinished(PIECE);
    await session.finish('parents');
  });

  it('calls it a failure when the scheduler ends the stream early, even with OK', async () => {
    const { session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      conversation.end();
    });
    await session.register();
    if (!session.failed.aborted) await once(session.failed, 'abort');
    assert.match(String(session.failed.reason), /ended the stream before/);
  });

  it('takes the peer back by DeletePeer when its failure could not be told on the stream', async () => {
    let conversation: Conversation | undefined;
    const { forgotten, session } = await open(async (opened) => {
      await opened.next();
      opened.answer(normal(candidate('parent')));
      conversation = opened;
    });
    await session.register();
    conversation?.fail(status.UNAVAILABLE, 'going away');
    await once(session.failed, 'abort');
    await session.fail('parents', 'gave up');
    assert.deepEqual(forgotten, [session.peerId]);
  });

  it('tells its failure on the same stream after an aborted wait, and is not confused by the late answer', async () => {
    const { forgotten, scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      await conversation.next();
      const { request } = await conversation.next();
      assert.equal(request, 'downloadPeerFailedRequest');
      conversation.answer(normal(candidate('late')));
      conversation.end();
    });
    await session.register();
    const abort = new AbortController();
    const decision = session.reschedule([], '', abort.signal);
    abort.abort();
    await assert.rejects(decision, AbortedError);
    assert.equal(session.failed.aborted, false);
    await session.fail('parents', 'the client went away');
    assert.equal(scheduler.messages.at(-1)?.downloadPeerFailedRequest?.description, 'the client went away');
    assert.deepEqual(forgotten, []);
  });

  it('half-closes after its last message, and says success once only', async () => {
    let closed = false;
    const { endings, scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer({ metadataOnlyResponse: {} });
      await conversation.next();
      await conversation.clientEnd();
      closed = true;
      conversation.end();
    });
    await session.register();
    await Promise.all([session.finish('source'), session.finish('source'), session.fail('source', 'too late')]);
    assert.equal(closed, true);
    assert.deepEqual(endings, [true]);
    assert.deepEqual(
      scheduler.messages.map(({ request }) => request),
      ['registerPeerRequest', 'downloadPeerBackToSourceFinishedRequest'],
    );
  });

  describe('with a scheduler that never closes', () => {
    async function end(tell: (session: AnnouncePeerSession) => Promise<void>): Promise<SessionStage> {
      const clock = new ManualClock();
      const stage = await open(
        async (conversation) => {
          await conversation.next();
          conversation.answer({ metadataOnlyResponse: {} });
        },
        { clock },
      );
      const { scheduler, session } = stage;
      await session.register();
      const told = tell(session);
      await scheduler.until(() => scheduler.messages.length === 2);
      clock.advance(END_TIMEOUT_MS);
      await told;
      return stage;
    }

    it('does not wait for ever, and does not count on what it said of its success', async () => {
      const { endings, forgotten, session } = await end((each) => each.finish('parents'));
      assert.equal(session.failed.aborted, false);
      assert.deepEqual({ endings, forgotten }, { endings: [false], forgotten: [] });
    });

    it('has a peer that failed forgotten', async () => {
      const { endings, forgotten, session } = await end((each) => each.fail('parents', 'the client went away'));
      assert.deepEqual({ endings, forgotten }, { endings: [false], forgotten: [session.peerId] });
    });
  });
});
