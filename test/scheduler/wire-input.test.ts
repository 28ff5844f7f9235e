import assert from 'node:assert/strict';
import type { AnnouncePeerRequest } from '../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import type { Host } from '../../src/generated/common/v2/Host.js';
import { Scheduler } from '../../src/grpc/protos.js';
import type { HostAnnouncement } from '../../src/scheduler/model.js';
import {
  toHostAnnouncement,
  toPeerRegistration,
  toPeerRequest,
  type PeerRequest,
} from '../../src/scheduler/wire-input.js';
import { taskId } from './cluster-fixture.js';

const { AnnounceHost, AnnouncePeer } = Scheduler.service;

function announced(host: Host, seconds?: number): HostAnnouncement {
  const interval = seconds === undefined ? null : { seconds };
  const message = AnnounceHost.requestDeserialize(AnnounceHost.requestSerialize({ host, interval }));
  return toHostAnnouncement(message.host ?? assert.fail(), message);
}

function requested(request: AnnouncePeerRequest): PeerRequest | undefined {
  return toPeerRequest(AnnouncePeer.requestDeserialize(AnnouncePeer.requestSerialize(request)));
}

describe('what peers tell the embedded scheduler', () => {
  it('of their host counts with its bandwidths, place and interval', () => {
    const network = { idc: 'dc1', location: 'eu|de', maxTxBandwidth: 10e9, txBandwidth: 1e9 };
    const host = { id: 'a', hostname: 'a.test', ip: '10.0.0.1', type: 1, disableShared: true };
    assert.deepEqual(announced({ ...host, network }, 300), {
      ...host,
      idc: 'dc1',
      location: 'eu|de',
      maxTxBitsPerSecond: 10e9,
      txBitsPerSecond: 1e9,
      intervalMs: 300_000,
    });
  });

  it('of a host that says little leaves the rest unknown', () => {
    const host = { id: 'a', hostname: 'a.test', ip: '10.0.0.1' };
    const unknown = { idc: '', location: '', maxTxBitsPerSecond: 0, txBitsPerSecond: 0, intervalMs: 0 };
    assert.deepEqual(announced(host), { ...host, type: 0, disableShared: false, ...unknown });
    assert.equal(announced(host, -1).intervalMs, 0);
  });

  it('of a download is its task, its content and its wishes', () => {
    const about = { url: 'http://origin.test/file', tag: 't', application: 'x', filteredQueryParams: ['sig'] };
    const wishes = { priority: 3, concurrentPieceCount: 4, needBackToSource: true, metadataOnly: true } as const;
    const lengths = { actualContentLength: 9, actualPieceLength: 4, actualPieceCount: 3 };
    const download = { ...about, ...wishes, ...lengths, range: { start: 2, length: 5 } };
    const request = requested({ registerPeerRequest: { download } });
    assert.ok(request?.kind === 'register');
    const ids = { hostId: 'host', peerId: 'peer', taskId: taskId() };
    assert.deepEqual(toPeerRegistration(ids, request.download, true), {
      id: 'peer',
      hostId: 'host',
      task: { id: taskId(), type: 0, digest: undefined, ...about },
      content: { contentLength: 9, pieceLength: 4, pieceCount: 3 },
      range: { offset: 2, length: 5 },
      ...wishes,
      disableBackToSource: false,
      leavesRings: true,
    });
    assert.equal(toPeerRegistration(ids, request.download, false).leavesRings, false, "Dragonfly's client waits");
    const staysAway = { ...request.download, disableBackToSource: true };
    assert.equal(toPeerRegistration(ids, staysAway, true).leavesRings, false, 'it has nowhere else to go');
  });

  const piece = { number: 1, cost: { seconds: 2, nanos: 500_000_000 }, parentId: 'parent' };
  for (const [request, expected, isLast] of [
    [{ downloadPeerStartedRequest: {} }, { kind: 'started' }, false],
    [{ downloadPeerBackToSourceStartedRequest: {} }, { kind: 'back-to-source-started' }, false],
    [{ downloadPieceFinishedRequest: { piece } }, { kind: 'piece-finished', costMs: 2500, parentId: 'parent' }, false],
    [{ downloadPieceBackToSourceFinishedRequest: { piece } }, { kind: 'piece-finished', costMs: 2500 }, false],
    [
      { downloadPieceFailedRequest: { parentId: 'parent', temporary: true } },
      { kind: 'piece-failed', parentId: 'parent', temporary: true },
      false,
    ],
    [{ downloadPieceBackToSourceFailedRequest: {} }, { kind: 'piece-from-source-failed' }, false],
    [{ downloadPeerFinishedRequest: {} }, { kind: 'finished', from: 'parents' }, true],
    [{ downloadPeerBackToSourceFinishedRequest: {} }, { kind: 'finished', from: 'source' }, true],
    [{ downloadPeerFailedRequest: { description: 'd' } }, { kind: 'failed', from: 'parents', description: 'd' }, true],
    [
      { downloadPeerBackToSourceFailedRequest: { description: 'd' } },
      { kind: 'failed', from: 'source', description: 'd' },
      true,
    ],
  ] as const)
    it(`by ${Object.keys(request)[0] ?? ''} is ${expected.kind}${isLast ? ', their last word' : ''}`, () => {
      assert.deepEqual(requested(request), { kind: 'report', report: expected, isLast });
    });

  it('with a reschedule is which parents they give up', () => {
    const candidateParents = [{ id: 'a' }, { id: 'b' }];
    const reschedule = requested({ reschedulePeerRequest: { candidateParents } });
    assert.deepEqual(reschedule, { kind: 'reschedule', parentIds: ['a', 'b'] });
    assert.equal(requested({}), undefined);
  });
});
