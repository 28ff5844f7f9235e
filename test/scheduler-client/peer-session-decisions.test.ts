import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import { DeadlineError, DfpeerError } from '../../src/core/errors.js';
import type { Download__Output } from '../../src/generated/common/v2/Download.js';
import { FIRST_ANSWER_TIMEOUT_MS } from '../../src/scheduler-client/peer-session.js';
import type { PeerRegistration } from '../../src/scheduler-client/scheduler-client.js';
import { ManualClock } from '../support/manual-clock.js';
import { offerOneParent, useSessions } from './support/session-stage.js';

describe('a peer session that asks for a decision', () => {
  const open = useSessions();

  it('registers with the lengths a scheduler needs, and a range and piece length only when there are some', async () => {
    const registered = async (changes: Partial<PeerRegistration>): Promise<Download__Output | null | undefined> => {
      const { scheduler, session } = await open(
        async (conversation) => {
          await conversation.next();
          conversation.answer({ emptyTaskResponse: {} });
        },
        { registration: changes },
      );
      assert.deepEqual(await session.register(), { kind: 'empty' });
      return scheduler.messages[0]?.registerPeerRequest?.download;
    };
    const whole = await registered({});
    assert.equal(whole?.actualContentLength, 20_971_521);
    assert.equal(whole.actualPieceLength, 4_194_304);
    assert.equal(whole.actualPieceCount, 6);
    assert.equal(whole.pieceLength, undefined);
    assert.equal(whole.range, undefined);
    assert.equal(whole.priority, 6);
    const part = await registered({ range: { offset: 5, length: 7 }, pieceLength: 8_388_608 });
    assert.deepEqual([part?.range?.start, part?.range?.length, part?.pieceLength], [5, 7, 8_388_608]);
  });

  it('announces the host again and registers once more when the scheduler has forgotten it', async () => {
    const { announcedAgain, scheduler, session } = await open(async (conversation) => {
      await conversation.next();
      conversation.answer({ emptyTaskResponse: {} });
    });
    scheduler.knowsHosts = false;
    assert.deepEqual(await session.register(), { kind: 'empty' });
    assert.equal(announcedAgain.length, 1);
    assert.equal(session.failed.aborted, false);
  });

  it('gives up when the scheduler still does not know it after that', async () => {
    const { announcedAgain, session } = await open(async (conversation) =>
      conversation.fail(status.NOT_FOUND, 'peer not found'),
    );
    await assert.rejects(session.register(), { code: 'DFP_SCHEDULER_REFUSED' });
    assert.equal(announcedAgain.length, 1);
    assert.ok(session.failed.reason instanceof DfpeerError);
  });

  it('rejects at once when nobody listens', async () => {
    const { scheduler, session } = await open(async () => undefined);
    scheduler.kill();
    await assert.rejects(session.register(), { code: 'DFP_SCHEDULER_UNREACHABLE' });
    assert.equal(session.failed.aborted, true);
  });

  it('takes a scheduler that accepts and says nothing for unreachable after the first answer is due', async () => {
    const clock = new ManualClock();
    const { scheduler, session } = await open(async () => undefined, { clock, scheduleTimeoutMs: 3_600_000 });
    const decision = session.register();
    await scheduler.until(() => scheduler.messages.length === 1);
    clock.advance(FIRST_ANSWER_TIMEOUT_MS);
    await assert.rejects(decision, DeadlineError);
    assert.ok(session.failed.reason instanceof DeadlineError);
  });

  it('waits for later decisions as long as it was told, then fails', async () => {
    const clock = new ManualClock();
    const { scheduler, session } = await open(offerOneParent, { clock, scheduleTimeoutMs: 60_000 });
    await session.register();
    const decision = session.reschedule([], 'more, please');
    await scheduler.until(() => scheduler.messages.length === 2);
    clock.advance(59_999);
    assert.equal(session.failed.aborted, false);
    clock.advance(1);
    await assert.rejects(decision, DeadlineError);
    await assert.rejects(session.reschedule([], 'again'), DeadlineError);
  });
});
