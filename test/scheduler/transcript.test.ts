import assert from 'node:assert/strict';
import { status } from '@grpc/grpc-js';
import type { Host } from '../../src/generated/common/v2/Host.js';
import type { Peer } from '../../src/generated/common/v2/Peer.js';
import type { AnnounceHostRequest } from '../../src/generated/scheduler/v2/AnnounceHostRequest.js';
import type { DeleteHostRequest } from '../../src/generated/scheduler/v2/DeleteHostRequest.js';
import type { AnnouncePeerRequest } from '../../src/generated/scheduler/v2/AnnouncePeerRequest.js';
import type { AnnouncePeerResponse } from '../../src/generated/scheduler/v2/AnnouncePeerResponse.js';
import { readShared } from '../grpc/shared-facts.js';
import { call, TestPeer, TestScheduler, type Client } from './peer-client.js';

interface Event {
  dir?: 'client->scheduler' | 'scheduler->client';
  event?: string;
  code?: number;
  msg?: Record<string, unknown>;
}

type Transcript = Record<string, unknown> & { announce_host: { request: object } };

const EXCHANGES = [
  'announce_peer_child_of_one_parent',
  'announce_peer_back_to_source',
  'announce_peer_metadata_only',
  'announce_peer_one_corrupt_piece_then_reschedule_then_back_to_source',
];

describe('a recorded exchange with a Rust peer', () => {
  for (const name of EXCHANGES)
    it(`${name}: gets the answers that the real scheduler gave`, async function () {
      const transcript = readShared(this, 'v2-transcript.json') as Transcript;
      const events = transcript[name] as Event[];
      await using scheduler = await TestScheduler.start();
      const client = scheduler.client();
      await announce(client, camelCase(transcript.announce_host.request) as AnnounceHostRequest);
      for (const parent of recordedParents(events)) await completePeer(client, parent);
      await replay(client, events);
    });

  it('delete_host_on_SIGTERM: is accepted', async function () {
    const transcript = readShared(this, 'v2-transcript.json') as Transcript;
    const { request } = transcript.delete_host_on_SIGTERM as { request: object };
    await using scheduler = await TestScheduler.start();
    const client = scheduler.client();
    await announce(client, camelCase(transcript.announce_host.request) as AnnounceHostRequest);
    await call((done) => client.deleteHost(camelCase(request) as DeleteHostRequest, done));
    assert.equal(scheduler.server.status().hosts, 0);
  });
});

/** Says what the client said, and expects an answer wherever one was recorded; no other may come. */
async function replay(client: Client, events: readonly Event[]): Promise<void> {
  const stream = client.announcePeer();
  const peer = new TestPeer(stream, { hostId: '', taskId: '', peerId: '' });
  let answers = 0;
  stream.on('data', () => answers++);
  let expected = 0;
  for (const { dir, msg, event, code } of events) {
    if (dir === 'client->scheduler' && msg !== undefined) stream.write(camelCase(msg) as AnnouncePeerRequest);
    if (dir === 'scheduler->client' && msg !== undefined) {
      const recorded = camelCase(msg) as AnnouncePeerResponse;
      const answer = await peer.answer();
      assert.deepEqual([answer.response], Object.keys(recorded));
      assert.deepEqual(
        answer.normalTaskResponse?.candidateParents.map(essence),
        recorded.normalTaskResponse?.candidateParents?.map(essence),
      );
      expected++;
    }
    if (event === 'status') assert.equal((await peer.status).code, code);
  }
  assert.equal((await peer.status).code, status.OK);
  assert.equal(answers, expected);
}

/** What a child needs of a candidate parent, and what doesn't depend on the clock. */
function essence({ id, state, task, host }: Peer): object {
  const { ip, port, downloadPort, network } = host ?? {};
  return {
    id,
    state,
    task: [task?.id, task?.url, Number(task?.contentLength), task?.pieceCount],
    host: [host?.id, host?.hostname, ip, port, downloadPort, Number(network?.maxTxBandwidth)],
  };
}

function recordedParents(events: readonly Event[]): Peer[] {
  return events
    .filter(({ dir, msg }) => dir === 'scheduler->client' && msg !== undefined)
    .flatMap(({ msg }) => (camelCase(msg ?? {}) as AnnouncePeerResponse).normalTaskResponse?.candidateParents ?? []);
}

/** Makes the cluster what it was: a parent that has the task. */
async function completePeer(client: Client, parent: Peer): Promise<void> {
  const { host, task, id = '' } = parent;
  assert.ok(host && task);
  await announce(client, { host: host satisfies Host });
  const ids = { hostId: host.id ?? '', taskId: task.id ?? '', peerId: id };
  const peer = new TestPeer(client.announcePeer(), ids);
  const { url = '', contentLength = 0, pieceCount = 0 } = task;
  await peer.ask({
    registerPeerRequest: {
      download: {
        url,
        metadataOnly: true,
        actualContentLength: contentLength,
        actualPieceLength: 4_194_304,
        actualPieceCount: pieceCount,
      },
    },
  });
  peer.say({ downloadPeerStartedRequest: {} });
  peer.say({ downloadPeerFinishedRequest: {} });
  assert.equal((await peer.status).code, status.OK);
}

function announce(client: Client, request: AnnounceHostRequest): Promise<unknown> {
  return call((done) => client.announceHost(request, done));
}

/** The transcript has the names of the proto files; generated types have JavaScript's. */
function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [toCamel(key), camelCase(inner)]));
}

function toCamel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
