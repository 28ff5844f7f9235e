import assert from 'node:assert/strict';
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../../src/core/clock.js';
import { AbortedError, DeadlineError, DfpeerError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { TrafficType, type StoredPiece } from '../../src/core/piece.js';
import type { Peer } from '../../src/generated/common/v2/Peer.js';
import { loadChannelCredentials } from '../../src/grpc/credentials.js';
import { MAX_BLOCKED_MS, MAX_QUEUED_REPORTS } from '../../src/scheduler-client/announce-stream.js';
import {
  AnnouncePeerSession,
  END_TIMEOUT_MS,
  FIRST_ANSWER_TIMEOUT_MS,
} from '../../src/scheduler-client/peer-session.js';
import type { CandidateParent, PeerRegistration } from '../../src/scheduler-client/scheduler-client.js';
import { SchedulerConnection } from '../../src/scheduler-client/scheduler-connection.js';
import { host, registration } from './support/fixtures.js';
import { ManualClock } from '../support/manual-clock.js';
import { ScriptedScheduler, type Conversation, type Script } from './support/scripted-scheduler.js';

const piece: StoredPiece = {
  number: 0,
  offset: 0,
  length: 4,
  digest: 'crc32:1',
  parentId: 'parent',
  trafficType: TrafficType.REMOTE_PEER,
  costMs: 1.5,
  createdAtMs: 1_700_000_000_000,
};

function candidate(id: string, changes: { ip?: string; port?: number; hostId?: string } = {}): Peer {
  const { ip = '10.0.0.1', port = 4000, hostId = `host-of-${id}` } = changes;
  const time = { seconds: 1, nanos: 0 };
  return {
    id,
    state: 'Succeeded',
    cost: time,
    createdAt: time,
    updatedAt: time,
    task: { id: 't', createdAt: time, updatedAt: time },
    host: { id: hostId, hostname: 'h', ip, port, downloadPort: port, type: 1, network: { maxTxBandwidth: 5 } },
  };
}

const normal = (...peers: Peer[]): { normalTaskResponse: { candidateParents: Peer[] } } => ({
  normalTaskResponse: { candidateParents: peers },
});

describe('a peer session', () => {
  let scheduler: ScriptedScheduler;
  let connection: SchedulerConnection;
  let announcedAgain: number;
  let forgotten: string[];
  let endings: boolean[];

  async function open(
    script: Script,
    options: { clock?: Clock; scheduleTimeoutMs?: number; registration?: Partial<PeerRegistration> } = {},
  ): Promise<AnnouncePeerSession> {
    scheduler = await ScriptedScheduler.start(script);
    connection = new SchedulerConnection(
      { ip: '127.0.0.1', port: scheduler.port },
      await loadChannelCredentials(undefined),
    );
    return new AnnouncePeerSession({
      hostId: host.id,
      registration: registration(options.registration),
      scheduler: {
        address: scheduler.address,
        announcePeer: () => connection.announcePeer(),
        expectLife: () => ({ patienceMs: 0, seen: Promise.resolve() }),
        announceHostAgain: async () => {
          announcedAgain++;
          scheduler.knowsHosts = true;
        },
        forgetPeer: async (peerId) => void forgotten.push(peerId),
      },
      onEnded: ({ succeeded }) => endings.push(succeeded),
      scheduleTimeoutMs: options.scheduleTimeoutMs ?? 5000,
      clock: options.clock ?? systemClock,
      logger: silentLogger,
    });
  }

  beforeEach(() => {
    announcedAgain = 0;
    forgotten = [];
    endings = [];
  });

  afterEach(() => {
    connection.close();
    scheduler.kill();
  });

  it('registers with the lengths a scheduler needs, and a range and piece length only when there are some', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer({ emptyTaskResponse: {} });
    });
    assert.deepEqual(await session.register(), { kind: 'empty' });
    const download = scheduler.messages[0]?.registerPeerRequest?.download;
    assert.equal(download?.actualContentLength, 20_971_521);
    assert.equal(download.actualPieceLength, 4_194_304);
    assert.equal(download.actualPieceCount, 6);
    assert.equal(download.pieceLength, undefined);
    assert.equal(download.range, undefined);
    assert.equal(download.priority, 6);
  });

  it('hears of parents that it did not ask for, and does not take them for an answer', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('first')));
      await conversation.next();
      conversation.answer(normal());
      conversation.answer({ needBackToSourceResponse: {} });
      conversation.answer(normal(candidate('second'), candidate('ourselves', { hostId: host.id })));
      await conversation.next();
      conversation.answer(normal(candidate('third')));
    });
    const heard: string[][] = [];
    const more = new Promise<void>((resolve) =>
      session.onMoreParents((parents) => {
        heard.push(parents.map(({ peerId }) => peerId));
        resolve();
      }),
    );
    await session.register();
    session.started();
    await more;
    const decision = await session.reschedule([], 'asks again');
    assert.ok(decision.kind === 'parents');
    assert.deepEqual(
      decision.parents.map(({ peerId }) => peerId),
      ['third'],
    );
    assert.deepEqual(heard, [['second']]);
  });

  it('hears of parents that it looks for, and blocks none for it', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('first')));
      await conversation.next();
      conversation.answer(normal(candidate('second')));
    });
    const more = new Promise<CandidateParent[]>((resolve) => session.onMoreParents(resolve));
    await session.register();
    session.searchParents();
    assert.deepEqual(
      (await more).map(({ peerId }) => peerId),
      ['second'],
    );
    assert.deepEqual(scheduler.messages.at(-1)?.reschedulePeerRequest?.candidateParents, []);
  });

  it('gives parents that can be dialled, and blocks the others with the next reschedule', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(
        normal(
          candidate('good'),
          candidate('bad-ip', { ip: 'example.com' }),
          candidate('bad-port', { port: 0 }),
          candidate('ourselves', { hostId: host.id }),
        ),
      );
      await conversation.next();
      conversation.answer({ needBackToSourceResponse: { description: 'none left' } });
    });
    const decision = await session.register();
    assert.ok(decision.kind === 'parents');
    assert.deepEqual(
      decision.parents.map(({ peerId, ip, port, isSeed, idc }) => ({ peerId, ip, port, isSeed, idc })),
      [{ peerId: 'good', ip: '10.0.0.1', port: 4000, isSeed: true, idc: undefined }],
    );
    assert.deepEqual(await session.reschedule(decision.parents, ''), {
      kind: 'back-to-source',
      description: 'none left',
    });
    const blocked = scheduler.messages[1]?.reschedulePeerRequest?.candidateParents.map(({ id }) => id);
    assert.deepEqual(blocked, ['good', 'bad-ip', 'bad-port', 'ourselves']);
  });

  it('reports every piece with cost and creation time', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      for (let count = 0; count < 4; count++) await conversation.next();
      conversation.end();
    });
    await session.register();
    session.started();
    session.pieceFinished({ ...piece, costMs: 999.999_999_9, createdAtMs: Number.NaN });
    session.pieceFromSourceFinished(piece);
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
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
    });
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

  it('announces the host again and registers once more when the scheduler has forgotten it', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer({ emptyTaskResponse: {} });
    });
    scheduler.knowsHosts = false;
    assert.deepEqual(await session.register(), { kind: 'empty' });
    assert.equal(announcedAgain, 1);
    assert.equal(session.failed.aborted, false);
  });

  it('gives up when the scheduler still does not know it after that', async () => {
    const session = await open(async (conversation) => conversation.fail(status.NOT_FOUND, 'peer not found'));
    await assert.rejects(session.register(), { code: 'DFP_SCHEDULER_REFUSED' });
    assert.equal(announcedAgain, 1);
    assert.ok(session.failed.reason instanceof DfpeerError);
  });

  it('rejects at once when nobody listens', async () => {
    const session = await open(async () => undefined);
    scheduler.kill();
    await assert.rejects(session.register(), { code: 'DFP_SCHEDULER_UNREACHABLE' });
    assert.equal(session.failed.aborted, true);
  });

  it('takes a scheduler that accepts and says nothing for unreachable after the first answer is due', async () => {
    const clock = new ManualClock();
    const session = await open(async () => undefined, { clock, scheduleTimeoutMs: 3_600_000 });
    const decision = session.register();
    await scheduler.until(() => scheduler.messages.length === 1);
    clock.advance(FIRST_ANSWER_TIMEOUT_MS);
    await assert.rejects(decision, DeadlineError);
    assert.ok(session.failed.reason instanceof DeadlineError);
  });

  it('waits for later decisions as long as it was told, then fails', async () => {
    const clock = new ManualClock();
    const silentAfterFirst: Script = async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
    };
    const session = await open(silentAfterFirst, { clock, scheduleTimeoutMs: 60_000 });
    await session.register();
    const decision = session.reschedule([], 'more, please');
    await scheduler.until(() => scheduler.messages.length === 2);
    clock.advance(59_999);
    assert.equal(session.failed.aborted, false);
    clock.advance(1);
    await assert.rejects(decision, DeadlineError);
    await assert.rejects(session.reschedule([], 'again'), DeadlineError);
  });

  it('shows a stream that broke in the middle, and its reports do not throw afterwards', async () => {
    let conversation: Conversation | undefined;
    const session = await open(async (opened) => {
      await opened.next();
      opened.answer(normal(candidate('parent')));
      conversation = opened;
    });
    await session.register();
    conversation?.fail(status.INVALID_ARGUMENT, 'piece without cost');
    await once(session.failed, 'abort');
    assert.ok(session.failed.reason instanceof DfpeerError);
    assert.equal(session.failed.reason.code, 'DFP_SCHEDULER_REFUSED');
    session.pieceFinished(piece);
    await session.finish('parents');
  });

  it('calls it a failure when the scheduler ends the stream early, even with OK', async () => {
    const session = await open(async (conversation) => {
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
    const session = await open(async (opened) => {
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
    const session = await open(async (conversation) => {
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
    const session = await open(async (conversation) => {
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
    async function end(tell: (session: AnnouncePeerSession) => Promise<void>): Promise<AnnouncePeerSession> {
      const clock = new ManualClock();
      const session = await open(
        async (conversation) => {
          await conversation.next();
          conversation.answer({ metadataOnlyResponse: {} });
        },
        { clock },
      );
      await session.register();
      const told = tell(session);
      await scheduler.until(() => scheduler.messages.length === 2);
      clock.advance(END_TIMEOUT_MS);
      await told;
      return session;
    }

    it('does not wait for ever, and does not count on what it said of its success', async () => {
      const session = await end((each) => each.finish('parents'));
      assert.equal(session.failed.aborted, false);
      assert.deepEqual({ endings, forgotten }, { endings: [false], forgotten: [] });
    });

    it('has a peer that failed forgotten', async () => {
      const session = await end((each) => each.fail('parents', 'the client went away'));
      assert.deepEqual({ endings, forgotten }, { endings: [false], forgotten: [session.peerId] });
    });
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
      const session = await open(deaf, { clock });
      await session.register();
      for (let count = 0; count < 200; count++) session.pieceFromSourceFailed(longReport);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(session.failed.aborted, false);
      clock.advance(MAX_BLOCKED_MS);
      assert.equal((session.failed.reason as DfpeerError).code, 'DFP_STALLED');
    });

    it('fails the session when the queue is full', async () => {
      const session = await open(deaf);
      await session.register();
      // The transport takes some before it pushes back.
      for (let count = 0; count < MAX_QUEUED_REPORTS + 100; count++) session.pieceFinished(piece);
      assert.equal((session.failed.reason as DfpeerError).code, 'DFP_LIMIT');
    });
  });

  it('delivers a burst of thousands of reports in order', async () => {
    const session = await open(async (conversation) => {
      await conversation.next();
      conversation.answer(normal(candidate('parent')));
      for (let count = 0; count <= 3000; count++) await conversation.next();
      conversation.end();
    });
    await session.register();
    for (let number = 0; number < 3000; number++) session.pieceFinished({ ...piece, number });
    await session.finish('parents');
    const numbers = scheduler.messages.flatMap((message) => message.downloadPieceFinishedRequest?.piece?.number ?? []);
    assert.deepEqual(numbers, [...Array(3000).keys()]);
    assert.equal(session.failed.aborted, false);
  });
});
