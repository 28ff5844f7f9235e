import assert from 'node:assert/strict';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { TrafficType, type StoredPiece } from '../../src/core/piece.js';
import { parseTaskId } from '../../src/core/task-id.js';
import type { Piece__Output } from '../../src/generated/common/v2/Piece.js';
import type { AnnouncePeerRequest__Output } from '../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import { loadChannelCredentials } from '../../src/grpc/credentials.js';
import { fromWireTime } from '../../src/grpc/wire.js';
import { toAnnounceHostRequest } from '../../src/scheduler-client/host-message.js';
import { AnnouncePeerSession } from '../../src/scheduler-client/peer-session.js';
import type { CandidateParent, PeerRegistration } from '../../src/scheduler-client/scheduler-client.js';
import { SchedulerConnection } from '../../src/scheduler-client/scheduler-connection.js';
import { host, load } from './support/fixtures.js';
import { ScriptedScheduler, type Conversation } from './support/scripted-scheduler.js';
import { capturedAnnounceHost, capturedConversation, type CapturedLine } from './support/transcript.js';

/** Plays the scheduler's lines, each as soon as the client has said its lines before. */
function play(lines: readonly CapturedLine[]): (conversation: Conversation) => Promise<void> {
  return async (conversation) => {
    for (const line of lines) {
      if (line.from === 'client') await conversation.next();
      else conversation.answer(line.message);
    }
    conversation.end();
  };
}

function toRegistration({ taskId, peerId, registerPeerRequest }: AnnouncePeerRequest__Output): PeerRegistration {
  const download = registerPeerRequest?.download;
  assert.ok(download);
  return {
    taskId: parseTaskId(taskId),
    peerId,
    url: download.url,
    digest: download.digest,
    tag: download.tag ?? '',
    application: download.application ?? '',
    priority: download.priority,
    filteredQueryParams: download.filteredQueryParams,
    requestHeader: download.requestHeader,
    concurrentPieceCount: download.concurrentPieceCount ?? 0,
    actualContentLength: download.actualContentLength ?? 0,
    actualPieceLength: download.actualPieceLength ?? 0,
    actualPieceCount: download.actualPieceCount ?? 0,
    needBackToSource: download.needBackToSource,
    disableBackToSource: download.disableBackToSource,
    metadataOnly: download.metadataOnly,
  };
}

function toStoredPiece(piece: Piece__Output | null | undefined): StoredPiece {
  assert.ok(piece);
  return {
    number: piece.number,
    offset: piece.offset,
    length: piece.length,
    digest: piece.digest,
    parentId: piece.parentId,
    trafficType: piece.trafficType ?? TrafficType.BACK_TO_SOURCE,
    costMs: fromWireTime(piece.cost) ?? 0,
    createdAtMs: fromWireTime(piece.createdAt) ?? 0,
  };
}

/** Does what the captured client did, through the session. */
async function perform(session: AnnouncePeerSession, lines: readonly CapturedLine[]): Promise<string[]> {
  const decisions: string[] = [];
  let parents: CandidateParent[] = [];
  const decided = (decision: Awaited<ReturnType<typeof session.register>>): void => {
    decisions.push(decision.kind);
    if (decision.kind === 'parents') parents = decision.parents;
  };
  for (const line of lines) {
    if (line.from === 'scheduler') continue;
    const { message } = line;
    switch (message.request) {
      case 'registerPeerRequest':
        decided(await session.register());
        break;
      case 'reschedulePeerRequest':
        decided(await session.reschedule(parents, message.reschedulePeerRequest?.description ?? ''));
        break;
      case 'downloadPeerStartedRequest':
        session.started();
        break;
      case 'downloadPeerBackToSourceStartedRequest':
        session.backToSourceStarted('');
        break;
      case 'downloadPieceFinishedRequest':
        session.pieceFinished(toStoredPiece(message.downloadPieceFinishedRequest?.piece));
        break;
      case 'downloadPieceBackToSourceFinishedRequest':
        session.pieceFromSourceFinished(toStoredPiece(message.downloadPieceBackToSourceFinishedRequest?.piece));
        break;
      case 'downloadPieceFailedRequest': {
        const { pieceNumber = 0, parentId = '', temporary = false } = message.downloadPieceFailedRequest ?? {};
        session.pieceFailed({ pieceNumber, parentPeerId: parentId, temporary });
        break;
      }
      case 'downloadPeerFinishedRequest':
        await session.finish('parents');
        break;
      case 'downloadPeerBackToSourceFinishedRequest':
        await session.finish('source');
        break;
      default:
        assert.fail(`not in any capture: ${String(message.request)}`);
    }
  }
  return decisions;
}

/** Leaves out what concerns the client's own file and address, and what is finer than a millisecond. */
function comparable(message: AnnouncePeerRequest__Output): unknown {
  const copy = structuredClone(message);
  const download = copy.registerPeerRequest?.download;
  if (download) {
    delete download.outputPath;
    delete download.remoteIp;
    download.timeout = null;
    download.overwrite = false;
  }
  for (const report of [copy.downloadPieceFinishedRequest, copy.downloadPieceBackToSourceFinishedRequest])
    for (const time of [report?.piece?.cost, report?.piece?.createdAt])
      if (time) time.nanos = Math.floor(time.nanos / 1e6);
  return JSON.parse(JSON.stringify(copy, (key, value: unknown) => (key.startsWith('_') ? undefined : value)));
}

describe('captured conversations with a Dragonfly 2.5.1 scheduler', () => {
  for (const [name, decisions] of [
    ['child_of_one_parent', ['parents']],
    ['back_to_source', ['back-to-source']],
    ['metadata_only', ['metadata-only']],
    ['one_corrupt_piece_then_reschedule_then_back_to_source', ['parents', 'back-to-source']],
  ] as const)
    it(`are led as the Rust client led them: ${name.replaceAll('_', ' ')}`, async () => {
      const lines = capturedConversation(name);
      const clientLines = lines.flatMap((line) => (line.from === 'client' ? [line.message] : []));
      const [first] = clientLines;
      assert.ok(first);
      const scheduler = await ScriptedScheduler.start(play(lines));
      const connection = new SchedulerConnection(
        { ip: '127.0.0.1', port: scheduler.port },
        await loadChannelCredentials(undefined),
      );
      try {
        const session = new AnnouncePeerSession({
          host: { id: first.hostId, ip: '127.0.0.1' },
          registration: toRegistration(first),
          scheduler: {
            address: scheduler.address,
            ip: '127.0.0.1',
            announcePeer: () => connection.announcePeer(),
            expectLife: () => assert.fail('not asked'),
            announceHostAgain: () => assert.fail('the host is known'),
            forgetPeer: () => assert.fail('the peer has finished'),
          },
          scheduleTimeoutMs: 10_000,
          clock: systemClock,
          logger: silentLogger,
        });
        assert.deepEqual(await perform(session, lines), decisions);
        assert.equal(session.failed.aborted, false);
        assert.deepEqual(scheduler.messages.map(comparable), clientLines.map(comparable));
      } finally {
        connection.close();
        scheduler.kill();
      }
    });

  it('show no host field that our announcement lacks', () => {
    const build = { version: '1.0.0', commit: 'abc' };
    const ours = toAnnounceHostRequest(host, load, build, 300_000);
    assert.deepEqual(ours.interval, { seconds: 300, nanos: 0 });
    const captured: [string, unknown][] = Object.entries(capturedAnnounceHost.host ?? {});
    for (const [key, theirs] of captured) {
      const value: unknown = Reflect.get(ours.host ?? {}, key);
      assert.equal(typeof value, typeof theirs, key);
      if (typeof theirs !== 'object' || theirs === null || key === 'build') continue;
      for (const inner of Object.keys(theirs)) assert.ok(Object.hasOwn(value as object, inner), `${key}.${inner}`);
    }
  });
});
